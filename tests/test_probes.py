"""Probes: what they name, and that they are answered whatever the threads, the database or the broker do."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client

from milo import feature_gates, health, probes, readiness
from milo.metrics import counted, shared
from milo.probes import Probes, Readiness
from milo.readiness import Unready
from tests.support.database import as_owner


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("a probe reached the application")


def ask(path: str, application: Any = nothing, method: str = "GET") -> tuple[int, str]:
    """The status and the body of a probe that comes without any header."""
    status, _headers, body = sent(path, application, method)
    return status, body


def sent(path: str, application: Any = nothing, method: str = "GET") -> tuple[int, dict[bytes, bytes], str]:
    async def request() -> tuple[int, dict[bytes, bytes], str]:
        place, _mark, query = path.partition("?")
        scope = {"type": "http", "method": method, "path": place, "query_string": query.encode(), "headers": []}
        communicator: Any = ApplicationCommunicator
        client = communicator(Probes(application), scope)
        await client.send_input({"type": "http.request", "body": b""})
        start, body = [await client.receive_output(timeout=30) for _ in range(2)]
        return start["status"], dict(start["headers"]), body["body"].decode()

    return asyncio.run(request())


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> dict[str, readiness.Check]:
    """The registry, to be changed within a test."""
    registered = dict(readiness._checks)
    monkeypatch.setattr(readiness, "_checks", registered)
    monkeypatch.setattr(feature_gates, "_gates", {})
    return registered


def test_livez_asks_nobody() -> None:
    assert ask("/livez") == (200, '{"status": "ok"}')
    assert ask("/livez?verbose") == (200, "[+]ping ok\nlivez check passed\n")
    assert ask("/livez", method="HEAD") == (200, "")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
def test_other_methods_are_named_wrong_and_paths_below_are_not_found_at_any_host(path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        status, headers, body = sent(path, method=method)
        assert (status, headers[b"allow"], body) == (405, b"GET, HEAD", "method not allowed\n")
        assert headers[b"content-type"] == b"text/plain"
    for below in ("/", "/database", "/a/b"):
        for method in ("GET", "POST"):
            assert ask(path + below, method=method) == (404, "not found\n")
    assert ask(f"{path}/database", method="HEAD") == (404, "")


def test_what_only_begins_like_a_probe_is_left_to_the_application() -> None:
    seen = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    for path in ("/livezz", "/apis/livez", "//livez", "/"):
        assert ask(path, application)[0] == 204
    assert seen == ["/livezz", "/apis/livez", "//livez", "/"]


def shown() -> dict[tuple[str, str], float]:
    """The readiness checks of the metrics, by name and effect."""
    return {
        (sample.labels["name"], sample.labels["effect"]): sample.value
        for metric in shared.counted()
        if metric.name == "milo_readiness_check"
        for sample in metric.samples
    }


def test_metrics_have_the_results_of_the_newest_probe_and_a_scrape_runs_no_check(
    checks: dict[str, readiness.Check],
) -> None:
    checks.clear()
    counted.readiness_check.clear()
    reasons, runs = {"floor": "it is gone", "lamp": "it is dark"}, []

    def look(name: str) -> None:
        runs.append(name)
        if reason := reasons.get(name):
            raise Unready(reason)

    readiness.check("floor")(lambda: look("floor"))
    readiness.check("lamp", degrades=True)(lambda: look("lamp"))
    readiness.check("roof")(lambda: look("roof"))
    assert (shown(), runs) == ({}, [])
    assert ask("/readyz")[0] == 503
    assert shown() == {("floor", "unready"): 0, ("lamp", "degraded"): 0, ("roof", "unready"): 1}
    assert len(runs) == 3
    reasons.clear()
    assert ask("/healthz")[0] == 200
    assert shown() == {("floor", "unready"): 1, ("lamp", "degraded"): 1, ("roof", "unready"): 1}
    assert len(runs) == 6


PROCESS = """
import sys
from milo.metrics.counted import readiness_check
for value in sys.argv[1:]:
    readiness_check.labels("clock", "unready").set(float(value))
"""


@pytest.mark.once
def test_of_several_processes_the_newest_result_counts_until_its_process_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(shared.VARIABLE, str(tmp_path))
    pids = []
    for value in ("0", "1"):
        process = subprocess.Popen([sys.executable, "-c", PROCESS, value])
        assert process.wait(120) == 0
        pids.append(process.pid)
    assert shown() == {("clock", "unready"): 1}
    shared.forget_process(pids[1])
    assert shown() == {("clock", "unready"): 0}
    shared.forget_process(pids[0])
    assert shown() == {}


def test_a_check_that_fails_is_named_and_one_that_degrades_leaves_the_process_ready(
    checks: dict[str, readiness.Check],
) -> None:
    checks.clear()
    readiness.check("first")(lambda: None)

    @readiness.check("lamp", degrades=True)
    def _lamp() -> None:
        raise Unready("it is dark")

    assert ask("/readyz") == (200, '{"status": "ok", "degraded": "lamp: it is dark"}')
    assert ask("/readyz?verbose") == (200, "[+]first ok\n[!]lamp degraded: it is dark\nreadyz check passed\n")

    @readiness.check("floor")
    def _floor() -> None:
        raise Unready("it is gone")

    status, body = ask("/healthz?verbose")
    assert (status, body.splitlines()[2:]) == (503, ["[-]floor failed: it is gone", "readyz check failed"])
    assert ask("/readyz")[1] == '{"status": "unavailable", "why": "it is gone", "degraded": "lamp: it is dark"}'


def test_a_check_with_a_fault_fails_and_tells_strangers_nothing(checks: dict[str, readiness.Check]) -> None:
    checks.clear()

    @readiness.check("faulty")
    def _faulty() -> None:
        raise RuntimeError("password")

    assert ask("/readyz?verbose") == (
        503,
        "[-]faulty failed: it could not be checked; the log tells why\nreadyz check failed\n",
    )


def test_a_check_that_hangs_fails_alone_and_within_a_second(checks: dict[str, readiness.Check]) -> None:
    checks.clear()
    readiness.check("quick")(lambda: None)
    readiness.check("stuck")(lambda: time.sleep(3))

    async def both() -> tuple[list[str], float]:
        probe = Readiness()
        await probe.results()
        begun = time.monotonic()
        found = await probe.results()
        return [result.line for result in found], time.monotonic() - begun

    lines, seconds = asyncio.run(both())
    assert lines == ["[+]quick ok", f"[-]stuck failed: no answer within {probes.WITHIN_SECONDS} s"]
    assert seconds < 1.5


def test_a_check_that_is_kept_counts_as_passed_while_it_runs_again(checks: dict[str, readiness.Check]) -> None:
    checks.clear()
    pauses = iter([0, 2])
    readiness.check_of_database("slow", kept_seconds=0.01)(lambda _connection: time.sleep(next(pauses)))

    async def twice() -> list[str]:
        probe = Readiness()
        await probe.results()
        await asyncio.sleep(0.02)
        return [result.line for result in await probe.results()]

    assert asyncio.run(twice()) == ["[+]slow ok"]


def rows(seconds: float) -> Callable[[BaseDatabaseWrapper], None]:
    """A check that takes the database so long; SQLite has no sleep."""

    def run(connection: BaseDatabaseWrapper) -> None:
        if connection.vendor == "sqlite":
            time.sleep(seconds)
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [seconds])

    return run


async def until_ready(probe: Readiness, within: float) -> list[list[str]]:
    """Probe until every check has passed; return the lines of each probe."""
    seen: list[list[str]] = []
    end = time.monotonic() + within
    while not seen or any(not line.startswith("[+]") for line in seen[-1]):
        assert time.monotonic() < end, seen
        seen.append([result.line for result in await probe.results()])
    return seen


@pytest.mark.django_db(transaction=True)
def test_a_kept_check_that_takes_longer_than_a_probe_passes_at_a_later_one(checks: dict[str, readiness.Check]) -> None:
    checks.clear()
    readiness.check_of_database("quick")(rows(0))
    readiness.check_of_database("slow", kept_seconds=30)(rows(1.5))
    first, *_others = asyncio.run(until_ready(Readiness(), 10))
    assert first == ["[+]quick ok", f"[-]slow failed: no answer within {probes.WITHIN_SECONDS} s"]


def test_what_was_found_before_the_database_was_away_counts_as_soon_as_it_is_back(
    checks: dict[str, readiness.Check],
) -> None:
    checks.clear()
    turns = iter(["passes", "fails", "lasts"])

    @readiness.check_of_database("slow", kept_seconds=0.01)
    def _slow(_connection: BaseDatabaseWrapper) -> None:
        turn = next(turns)
        if turn == "fails":
            raise DatabaseError("connection refused")
        time.sleep(2 if turn == "lasts" else 0)

    async def thrice() -> list[str]:
        probe, lines = Readiness(), []
        for _time in range(3):
            lines += [result.line for result in await probe.results()]
            await asyncio.sleep(0.02)
        return lines

    assert asyncio.run(thrice()) == ["[+]slow ok", "[-]slow failed: the database does not answer", "[+]slow ok"]


@pytest.mark.django_db(transaction=True)
def test_a_check_that_the_database_did_not_answer_in_time_leaves_the_others_to_ask_it(
    checks: dict[str, readiness.Check],
) -> None:
    if connection.vendor == "sqlite":  # bounds the wait for its one writer, and no query
        return
    checks.clear()
    readiness.check_of_database("slow")(rows(0.95))
    readiness.check_of_database("quick")(rows(0))

    async def later() -> list[str]:
        probe = Readiness()
        await probe.results()
        # of the same run, which had ended just after
        await asyncio.wrap_future(probe._groups[0].run())
        return [result.line for result in probe._groups[0].results()]

    assert asyncio.run(later()) == ["[-]slow failed: the database did not answer it in time", "[+]quick ok"]


def test_once_the_database_is_away_no_check_asks_it_again(checks: dict[str, readiness.Check]) -> None:
    asked = []

    def away(_connection: Any) -> None:
        asked.append(1)
        raise DatabaseError("connection refused to somebody@somewhere")

    checks.clear()
    readiness.check_of_database("database")(away)
    readiness.check_of_database("rows")(away)
    assert ask("/readyz?verbose")[1].splitlines() == [
        "[-]database failed: the database does not answer",
        "[-]rows failed: the database does not answer",
        "readyz check failed",
    ]
    assert len(asked) == 1


@pytest.mark.django_db
def test_migrations_that_are_not_applied_are_named(client: Client) -> None:
    assert client.get("/readyz").status_code == 200
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'projects' AND name = '0001_initial'")
    answer = client.get("/readyz?verbose")
    assert answer.status_code == 503
    assert "[-]migrations failed: migrations are not applied: projects.0001_initial" in answer.content.decode()


@pytest.mark.django_db
def test_of_a_database_without_tables_a_few_migrations_are_named_and_all_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "_known_migrations", lambda: {("later", f"{number:04}") for number in range(8)})
    with pytest.raises(Unready, match=r"later\.0000, .*later\.0004 and 3 more$"):
        health._migrations(connection)


@pytest.mark.django_db(transaction=True)
def test_the_connection_of_a_probe_is_its_own_and_bounded() -> None:
    own = probes.own_connection()
    try:
        assert "pool" not in own.settings_dict["OPTIONS"]
        with own.cursor() as cursor:
            if own.vendor == "sqlite":
                cursor.execute("PRAGMA busy_timeout")
                assert cursor.fetchone()[0] <= 1000
                return
            for bound in ("statement_timeout", "lock_timeout"):
                cursor.execute(f"SHOW {bound}")
                assert cursor.fetchone() == ("900ms",)
    finally:
        own.close()
