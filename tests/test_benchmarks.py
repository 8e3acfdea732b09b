"""The benchmarks run to their end; how fast they are is for `make bench` to say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from tests.admin.test_list_pages import MOST_QUERIES


@pytest.mark.once  # they measure on a PostgreSQL whatever the engine of the run
def test_every_benchmark_runs_and_reports(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick"],
        env=os.environ | {"MILO_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "benchmarks.json").read_text())["benchmarks"]
    assert list(found) == list(NAMES)
    for name in ("bind", "read", "list-100", "list-1000"):
        contestants = found[name]["contestants"]
        assert [row["contestant"] for row in contestants] == ["milo", "peer", "raw SQL"]
        assert all(row["requests/s"] > 0 and row["queries"] > 0 for row in contestants)
    moved, corrected = (found[name]["facts"] for name in ("payer-changes", "payer-corrections"))
    assert moved["due at one instant"] == moved["projects"] == 200
    assert corrected["projects, corrected ones"] == [100, 1]
    bound, unbound = found["default-payers"]["contestants"]
    assert bound["queries"] > unbound["queries"]
    accounts = found["console"]["facts"]["billing accounts"]
    assert 0 < accounts["queries"] <= MOST_QUERIES
