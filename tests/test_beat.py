"""Beat sends by rows: whatever becomes of its host, its memory and its messages, and however many beats there are."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from celery.beat import ScheduleEntry
from celery.worker.request import Request
from django.conf import settings
from django.db import Error, OperationalError, connection

from milo.celery import app
from milo.schedules import runs
from milo.schedules.beat import Scheduler
from milo.schedules.models import LastRun
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db
transactional = pytest.mark.django_db(transaction=True)

TASKS = set(app.conf.beat_schedule)
DAILY, AT_NIGHT, EVERY_MINUTE = "make-usage-partitions", "archive-accounts", "seal-ledger"
HOUR = timedelta(hours=1)


def begun() -> Scheduler:
    """A beat that has just started, as on a new host."""
    return Scheduler(app)


def sends(beat: Scheduler, name: str) -> bool:
    return bool(beat.is_due(beat.schedule[name]).is_due)


def ago(name: str, span: timedelta, **changes: Any) -> None:
    """Let the last run have been sent so long ago, and have succeeded unless `changes` say otherwise."""
    sent_at = datetime.now(UTC) - span
    LastRun.objects.update_or_create(name=name, defaults={"sent_at": sent_at, "succeeded_at": sent_at} | changes)


@pytest.fixture
def messages() -> Iterator[Callable[[], list[Any]]]:
    """Return the messages that were sent since the last call."""
    app.loader.import_default_modules()
    with app.connection() as broker:
        queue = broker.SimpleQueue(app.amqp.queues["celery"])
        queue.clear()

        def sent() -> list[Any]:
            taken = []
            while True:
                try:
                    taken.append(queue.get(block=False))
                except queue.Empty:
                    return taken

        yield sent
        queue.clear()


def test_every_schedule_of_the_settings_is_there_and_begins_now() -> None:
    beat = begun()
    assert set(beat.schedule) == TASKS == set(settings.CELERY_BEAT_SCHEDULE)
    assert not any(sends(beat, name) for name in TASKS)
    assert set(LastRun.objects.values_list("name", flat=True)) == TASKS


@pytest.mark.parametrize("name", [DAILY, AT_NIGHT])
def test_what_is_daily_runs_though_beat_is_started_anew_more_often(name: str) -> None:
    sends(begun(), name)
    for hours in (7, 13, 19):
        ago(name, hours * HOUR if name == DAILY else timedelta())
        assert not sends(begun(), name)
    ago(name, 25 * HOUR)
    assert sends(begun(), name)
    assert not sends(begun(), name)


def test_what_fell_due_while_no_beat_ran_is_sent_at_the_start_and_once(messages: Any) -> None:
    for name in TASKS:
        ago(name, 5 * 24 * HOUR)
    beat = begun()
    for _tick in range(2 * len(TASKS)):
        beat.tick()
    sent = [message.headers["milo_schedule"] for message in messages()]
    assert set(sent) == TASKS
    # those of every five seconds may be due again
    assert all(sent.count(name) == 1 for name in TASKS - {"deliver-notices", "announce-standing", "move-due-projects"})


@transactional
def test_of_two_beats_one_sends() -> None:
    for name in TASKS:
        ago(name, 25 * HOUR)
    beats = begun(), begun()
    for name in TASKS:
        assert [sent is True for sent in at_once([partial(sends, beat, name) for beat in beats])].count(True) == 1


def test_a_run_whose_message_was_lost_is_sent_again_after_six_hours() -> None:
    ago(DAILY, 5 * HOUR, succeeded_at=None)
    assert not sends(begun(), DAILY)
    ago(DAILY, 7 * HOUR, succeeded_at=None)
    assert sends(begun(), DAILY)
    assert not sends(begun(), DAILY)


def test_a_run_that_failed_is_sent_again_after_six_hours_and_one_that_succeeded_is_not() -> None:
    now = datetime.now(UTC)
    ago(DAILY, 7 * HOUR, succeeded_at=now - 30 * HOUR, failed_at=now - 6.9 * HOUR)
    assert sends(begun(), DAILY)
    ago(DAILY, 7 * HOUR, succeeded_at=now - 6.9 * HOUR)
    assert not sends(begun(), DAILY)


def test_beat_looks_at_a_run_again_before_it_counts_as_lost() -> None:
    beat = begun()
    ago(DAILY, HOUR)
    assert beat.is_due(beat.schedule[DAILY]).next <= 6 * 3600


def test_a_last_run_in_the_future_does_not_silence_a_task() -> None:
    ago(EVERY_MINUTE, -300 * 24 * HOUR)
    assert not sends(begun(), EVERY_MINUTE)
    run = LastRun.objects.get(name=EVERY_MINUTE)
    assert abs(run.sent_at - datetime.now(UTC)) < HOUR
    ago(EVERY_MINUTE, HOUR)
    assert sends(begun(), EVERY_MINUTE)


def test_beat_waits_for_a_database_that_is_away_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    ago(DAILY, 25 * HOUR)

    def away(*arguments: Any) -> Any:
        raise OperationalError("the server closed the connection: Erika Example")

    with connection.execute_wrapper(away):
        beat = begun()
        for name in TASKS:
            assert beat.is_due(beat.schedule[name]) == (False, 5.0)
    assert sends(beat, DAILY)
    said = capsys.readouterr().err
    assert said.count("beat_waits_for_database") == 1
    assert "beat_goes_on" in said
    assert "Erika" not in said


def test_a_broker_that_is_away_is_one_line_for_each_task_until_it_is_back(
    messages: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    beat = begun()
    entries = [beat.schedule[name] for name in (DAILY, EVERY_MINUTE)]

    def away(*arguments: Any, **options: Any) -> Any:
        raise ConnectionRefusedError("redis://:hush@redis/0 refused")

    capfd.readouterr()
    with monkeypatch.context() as patched:
        for entry in entries:
            patched.setattr(app.tasks[entry.task], "apply_async", away)
        for entry in entries * 3:
            beat.apply_entry(entry, producer=beat.producer)
    said = capfd.readouterr().err
    assert messages() == []
    assert "Traceback" not in said
    assert "hush" not in said
    lines = [line for line in said.splitlines() if "task_not_sent" in line]
    assert len(lines) == len(said.splitlines()) == 2
    for entry, line in zip(entries, lines, strict=True):
        assert f"schedule={entry.name} " in line
        assert f"task={entry.task}" in line
        assert "ConnectionRefusedError" in line
    for entry in entries:
        beat.apply_entry(entry, producer=beat.producer)
    assert len(messages()) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "tasks_sent_again" in line
    assert "unsent=2" in line


def test_a_beat_that_started_before_migrate_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LastRun._meta, "db_table", "a_table_that_migrate_makes")
    beat = begun()
    assert beat.is_due(beat.schedule[DAILY]) == (False, 5.0)


def sent_by_beat(beat: Scheduler, name: str, messages: Any) -> Request:
    """The request of a worker, from the message of a beat."""
    entry: ScheduleEntry = beat.schedule[name]
    beat.apply_entry(beat.reserve(entry), producer=beat.producer)
    (message,) = messages()
    return Request(message, app=app, decoded=True, body=message.payload)


def test_a_worker_records_when_a_run_succeeded(messages: Any) -> None:
    ago("clear-sessions", HOUR, succeeded_at=None)
    before = datetime.now(UTC)
    assert sent_by_beat(begun(), "clear-sessions", messages).execute() == 0
    succeeded_at = runs.last_successes()["clear-sessions"]
    assert succeeded_at is not None
    assert before <= succeeded_at <= datetime.now(UTC)
    assert LastRun.objects.get(name="clear-sessions").failed_at is None


def test_a_worker_records_when_a_run_failed_without_the_text_of_the_error(
    messages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ago("clear-sessions", HOUR, succeeded_at=None)
    request = sent_by_beat(begun(), "clear-sessions", messages)

    def fail() -> None:
        raise LookupError("Erika Example")

    monkeypatch.setattr("milo.identity.sessions.forget_expired", fail)
    request.execute()
    run = LastRun.objects.get(name="clear-sessions")
    assert (run.succeeded_at, run.failure) == (None, "LookupError")
    assert run.failed_at is not None


def test_a_run_that_cannot_be_recorded_fails_nothing(messages: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sends(begun(), "clear-sessions")
    request = sent_by_beat(begun(), "clear-sessions", messages)

    def away(execute: Any, sql: str, *arguments: Any) -> Any:
        if LastRun._meta.db_table in sql:
            raise Error("away")
        return execute(sql, *arguments)

    with connection.execute_wrapper(away):
        assert request.execute() == 0
    assert "run_not_recorded" in capsys.readouterr().err


def test_the_last_success_of_every_schedule_is_known_by_one_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert runs.last_successes() == dict.fromkeys(TASKS)


def test_sessions_proofs_and_the_archive_are_looked_after_every_day() -> None:
    tasks = {entry["task"]: entry["schedule"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    for task in ("identity.tasks.clear_sessions", "ledger.tasks.verify_ledger"):
        assert len(tasks[f"milo.{task}"].hour) == 1
    assert len(tasks["billing.tasks.verify_archive"].hour) == 1
