"""Beat starts whatever is left of its file of last runs, and outlives a disk on which that cannot be written."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milo.beat import Scheduler
from milo.celery import app

pytestmark = pytest.mark.once

TASKS = set(app.conf.beat_schedule)
DAILY = "make-usage-partitions"


def started(folder: Path) -> Scheduler:
    """A scheduler that has read its file in `folder`."""
    return Scheduler(app, schedule_filename=str(folder / "last-runs.json"))


def test_the_last_runs_are_known_after_a_restart(tmp_path: Path) -> None:
    first = started(tmp_path)
    yesterday = datetime.now(UTC) - timedelta(days=1, seconds=5)
    first.schedule[DAILY].last_run_at = yesterday
    first.close()
    second = started(tmp_path)
    assert second.schedule[DAILY].last_run_at == yesterday
    assert second.schedule[DAILY].is_due().is_due
    assert set(second.schedule) == TASKS


@given(cut=st.floats(0, 1), rest=st.sampled_from([b"", b"\0" * 500, b"\xff garbage", b"}"]))
def test_a_file_that_was_cut_off_or_overwritten_is_begun_anew(
    tmp_path_factory: pytest.TempPathFactory, cut: float, rest: bytes
) -> None:
    folder = tmp_path_factory.mktemp("beat")
    started(folder).close()
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(cut * len(whole))] + rest)
    scheduler = started(folder)
    assert set(scheduler.schedule) == TASKS
    scheduler.close()
    assert set(json.loads(path.read_bytes())) == TASKS


@pytest.mark.parametrize(
    "content", [b"[]", b"null", b'{"expire-requests": 5}', b'{"unknown": "2026-01-01T00:00:00Z"}', b'{"a": "never"}']
)
def test_json_of_another_shape_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "last-runs.json").write_bytes(content)
    assert set(started(tmp_path).schedule) == TASKS


def test_a_last_run_in_the_future_does_not_silence_a_task(tmp_path: Path) -> None:
    future = {DAILY: (datetime.now(UTC) + timedelta(days=300)).isoformat()}
    (tmp_path / "last-runs.json").write_text(json.dumps(future))
    assert started(tmp_path).schedule[DAILY].last_run_at <= datetime.now(UTC)


def test_a_file_that_cannot_be_written_does_not_end_beat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "last-runs.json").mkdir()
    scheduler = started(tmp_path)
    scheduler.sync()
    assert set(scheduler.schedule) == TASKS
    assert "beat_schedule_not_written" in capsys.readouterr().err
