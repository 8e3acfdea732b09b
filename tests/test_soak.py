"""The soak itself: a short one finds nothing, and it shares no code with what it checks."""

import os
import stat
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest

from soak import clocks
from soak.checks import answers, plans, timelines, usage
from soak.evidence import Evidence
from soak.milo import Milo
from soak.postgresql import make_folder, programs, system_user
from soak.processes import NotStarted
from soak.records import Records

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parent.parent


def modules() -> set[str]:
    """Return the modules and packages directly below the soak."""
    paths = [*(ROOT / "soak").glob("*.py"), *(path.parent for path in (ROOT / "soak").glob("*/__init__.py"))]
    return {f"soak.{path.stem}" for path in paths} - {"soak.__init__"}


def test_no_module_of_the_soak_may_import_what_it_checks() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    contract = next(each for each in contracts if each["name"] == "The soak shares no code with what it checks")
    assert set(contract["source_modules"]) == modules() - {"soak.plants"}
    assert {"milo", "projects", "billing"} < set(contract["forbidden_modules"])


def may_run(program: Path) -> bool:
    """Return whether the user that PostgreSQL runs as can: root's home is closed to others."""
    return subprocess.run([program, "--version"], check=False, user=system_user(), capture_output=True).returncode == 0


def requires_postgresql() -> None:
    """Skip the test where there is no PostgreSQL that may run; .ci/run installs one."""
    try:
        if not may_run(programs() / "postgres"):
            pytest.skip("PostgreSQL's programs are closed to the user that it runs as")
    except (NotStarted, PermissionError) as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_user_of_postgresql_comes_through_to_its_folder_and_keys_stay_closed(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make_folder(tmp_path / "soak" / "made")
        (tmp_path / "soak" / "made" / "key").write_text("secret")
        (tmp_path / "soak" / "made" / "database").mkdir()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "soak").rglob("*")}
    assert modes == {"made": 0o711, "key": 0o600, "database": 0o711}


@pytest.mark.slow
@pytest.mark.xdist_group("faults")
def test_a_short_soak_finds_nothing_lost() -> None:
    """It takes a minute or two, because it makes a database and starts, kills and starts again all processes."""
    requires_postgresql()
    with tempfile.TemporaryDirectory(prefix="milo-soak-") as folder:
        Path(folder).chmod(0o755)
        command = [sys.executable, "-m", "soak", "--short", "--folder", f"{folder}/soak"]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing was lost (seed " in done.stdout
    # organizations, roles, accounts and projects are opened before the first client writes
    assert int(done.stdout.partition(" acknowledged writes")[0].rpartition("\n")[2]) > 4 * (1 + 1 + 3 + 6)
    assert "5 faults: " in done.stdout


def test_processes_of_the_soak_get_nothing_of_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILO_DEBUG", "1")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    environment = Milo(tmp_path, webs=1).environment()
    assert "MILO_DEBUG" not in environment
    assert "DJANGO_SETTINGS_MODULE" not in environment


def evidence(folder: Path, attempts: Sequence[tuple[int, int, float]], faults: list[dict[str, Any]]) -> Evidence:
    """Write what a soak leaves: one bind for each attempt (web process, status, instant of its answer)."""
    actions = Records(folder / "actions.jsonl")
    for web, status, at in attempts:
        actions.append({"action": "bind", "status": status, "attempts": [[web, status, at - 0.1, at]]})
    for fault in faults:
        Records(folder / "faults.jsonl").append(fault)
    return Evidence(folder, Milo(folder, webs=0))


def test_an_answer_of_500_and_an_outcome_that_stays_unknown_are_found(tmp_path: Path) -> None:
    found = list(answers.expected(evidence(tmp_path, [(0, 201, 1), (0, 503, 2), (1, 500, 3), (1, 0, 4)], [])))
    assert found == [
        "bind was answered 500, 1 times",
        "of 1 requests the outcome stayed unknown, with everything up again",
    ]


def test_a_web_process_that_writes_late_after_the_return_of_postgresql_is_found(tmp_path: Path) -> None:
    attempts = [(0, 201, 99), (1, 201, 99), (0, 201, 102), (1, 503, 103), (1, 201, 111.5)]
    returned = {"fault": "postgresql", "at": 100, "accepts": 101.0}
    assert list(answers.recovery(evidence(tmp_path, attempts, [returned]))) == [
        "web-1 acknowledged its first write 10.5 s after PostgreSQL's return at 101"
    ]


def test_a_web_process_that_was_killed_meanwhile_is_not_measured(tmp_path: Path) -> None:
    attempts = [(0, 201, 99), (1, 201, 99), (0, 201, 102), (1, 201, 120)]
    faults = [{"fault": "postgresql", "at": 100, "accepts": 101.0}, {"fault": "web", "web": 1, "at": 104}]
    assert list(answers.recovery(evidence(tmp_path, attempts, faults))) == []


def test_a_process_that_ended_by_itself_is_found(tmp_path: Path) -> None:
    found = list(answers.survival(evidence(tmp_path, [], [{"ended": "worker", "at": 7}])))
    assert found == ["worker had ended by itself at 7"]


def test_a_deadlock_is_found_with_the_statement_that_it_ended(tmp_path: Path) -> None:
    seen = evidence(tmp_path, [], [])
    log = ["LOG:  ready", "ERROR:  deadlock detected", "STATEMENT:  SELECT 1 FOR UPDATE", "LOG:  checkpoint starting"]
    (seen.milo.logs / "postgresql.log").write_text("\n".join(log))
    found = ["ERROR:  deadlock detected; STATEMENT:  SELECT 1 FOR UPDATE"]
    assert list(answers.no_deadlock(seen)) == found


def test_an_instant_outside_its_request_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    actions = Records(tmp_path / "actions.jsonl")
    for name, at in {"b-1": 100.0, "b-2": 100.0}.items():
        attempts = [[0, 503, at, at + 1], [1, 201, at + 2, at + 3]]
        actions.append({"action": "bind", "name": name, "status": 201, "attempts": attempts})
    instants = {"b-1": 102.5, "b-2": 35.0}
    rows = [{"key": name, "at": datetime.fromtimestamp(at, UTC)} for name, at in instants.items()]
    monkeypatch.setattr(Evidence, "query", lambda self, statement: rows if "established_at" in statement else [])
    assert list(timelines.instants_true(Evidence(tmp_path, Milo(tmp_path, webs=0)))) == [
        "bind b-2 is at 35.000, and was asked for from 100.000 on"
    ]


@pytest.mark.parametrize("payer", [1, 2, 3])
def test_usage_is_recounted_for_the_account_of_the_latest_correction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, payer: int
) -> None:
    start, hour = datetime(2026, 11, 29, 12, tzinfo=UTC), timedelta(hours=1)
    correction = {"project_id": 7, "starts_at": start, "ends_at": start + 2 * hour}
    event = {"project_id": 7, "meter_id": 5, "time": start + hour, "utc": start + hour, "quantity": Decimal("2.5")}
    stored = {"project_id": 7, "meter_id": 5, "account_id": payer, "quantity": Decimal("2.5"), "events": 1}
    rows: dict[str, list[dict[str, Any]]] = {
        "billingaccountbinding": [{"project_id": 7, "account_id": 1, "established_at": start, "ended_at": None}],
        # in the order of their recording
        "payercorrection": [correction | {"account_id": 2}, correction | {"account_id": 3}],
        "usageevent": [event],
        "usagerollup": [
            stored | {"granularity": granularity, "starts_on": day, "withdrawn": 0}
            for granularity, day in {"day": start.date(), "month": start.date().replace(day=1)}.items()
        ],
    }
    monkeypatch.setattr(
        Evidence, "query", lambda self, statement: next(rows[table] for table in rows if table in statement)
    )
    found = list(usage.sums(Evidence(tmp_path, Milo(tmp_path, webs=0))))
    # of the day and of the month: one sum too much, and one that is missing
    assert len(found) == (0 if payer == 3 else 4)


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        ({"phase": "Done"}, ""),
        (
            {"phase": "Done", "account_phase": "Suspended"},
            "is done: a and its payer of record were ('Suspended', 'Ready') then, and locked: False",
        ),
        (
            {"phase": "Done", "payer_phase": "Suspended"},
            "is done: a and its payer of record were ('Ready', 'Suspended') then, and locked: False",
        ),
        (
            {"phase": "Done", "is_locked": True},
            "is done: a and its payer of record were ('Ready', 'Ready') then, and locked: True",
        ),
        (
            {"phase": "Done", "established_at": 8},
            "is done, and project, payer and instant of its binding are (1, 2, 8)",
        ),
        ({"phase": "Pending"}, "is still pending"),
        ({"phase": "Failed", "reason": "PaysAlready"}, ""),
        ({"phase": "Failed", "reason": "AccountNotReady", "account_phase": "Suspended"}, ""),
        ({"phase": "Failed", "reason": "AccountNotReady", "payer_phase": "Suspended"}, ""),
        (
            {"phase": "Failed", "reason": "AccountNotReady"},
            "failed by AccountNotReady: a and its payer of record were ('Ready', 'Ready') then, and locked: False",
        ),
        (
            {"phase": "Failed", "reason": "PayerLocked"},
            "failed by PayerLocked: a and its payer of record were ('Ready', 'Ready') then, and locked: False",
        ),
    ],
)
def test_a_plan_is_judged_by_the_state_at_its_instant(outcome: dict[str, Any], fault: str) -> None:
    kept = {"project_id": 1, "bound": 1, "account_id": 2, "payer": 2, "effective_at": 7, "established_at": 7}
    ready = {"account_phase": "Ready", "payer_phase": "Ready"}
    row = kept | ready | {"account": "a", "is_locked": False, "reason": ""} | outcome
    assert plans._fault(row) == fault


def test_the_clock_of_a_process_is_set_while_it_runs(tmp_path: Path) -> None:
    if clocks.library() is None:
        pytest.skip("libfaketime is not installed")
    # a wait on an Event is another system call than time.sleep, which the soak replaces
    script = """
import threading, time
while True:
    time.sleep(0.1)
    threading.Event().wait(0.1)
    print(time.time(), flush=True)
"""
    environment = {"PATH": os.environ["PATH"]}
    process = clocks.ProcessWithClock(
        "clock", [sys.executable, "-c", script], environment, tmp_path / "log", tmp_path / "clocks"
    )
    process.start()
    try:
        for seconds in (0, -7200, 0):
            process.set_clock(seconds)
            end = time.monotonic() + 30
            while abs(last_instant(tmp_path / "log") - time.time() - seconds) > 5:
                assert time.monotonic() < end
                time.sleep(0.1)
    finally:
        process.kill()
    assert not process.is_running


def last_instant(log: Path) -> float:
    lines = log.read_text().splitlines()
    return float(lines[-1]) if lines else 0.0


def test_processes_end_with_the_soak_that_is_killed(tmp_path: Path) -> None:
    script = """
import os, pathlib, sys, time
from soak.processes import Process
process = Process("sleeper", ["sleep", "300"], {"PATH": os.environ["PATH"]}, pathlib.Path(sys.argv[1]))
process.start()
print(process._running.pid, flush=True)
time.sleep(300)
"""
    soak = subprocess.Popen([sys.executable, "-c", script, tmp_path / "log"], cwd=ROOT, stdout=subprocess.PIPE)
    assert soak.stdout
    sleeper = psutil.Process(int(soak.stdout.readline()))
    soak.kill()
    soak.wait()
    end = time.monotonic() + 10
    # whoever adopts it may leave it a zombie
    while sleeper.is_running() and sleeper.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.05)
