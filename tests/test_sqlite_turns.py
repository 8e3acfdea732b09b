"""Writers of one process write to a SQLite file in the order in which they came (milo/sqlite)."""

import gc
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connections, transaction
from pytest_django import DjangoDbBlocker

from milo import outages
from milo.sqlite.lines import Turn, line
from tests.support.threads import attempt

pytestmark = pytest.mark.once
INSERT = "INSERT INTO entry (name) VALUES (%s)"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    """A database of two aliases: `patient` waits for a minute, `impatient` not at all."""
    path = tmp_path / "entries.sqlite3"
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
    _alias(monkeypatch, "patient", path, 60)
    _alias(monkeypatch, "impatient", path, 0)
    with django_db_blocker.unblock():
        yield path
        for alias in ("patient", "impatient"):
            connections[alias].close()
            del connections[alias]


def _alias(monkeypatch: pytest.MonkeyPatch, alias: str, path: Path, seconds: float) -> None:
    options = {"transaction_mode": "IMMEDIATE", "timeout": seconds}
    database = {"ENGINE": "milo.sqlite", "NAME": path, "OPTIONS": options}
    monkeypatch.setitem(connections.settings, alias, connections.configure_settings({"default": database})["default"])


def write(name: str, alias: str = "patient") -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute(INSERT, [name])


def write_impatiently() -> None:
    write("refused", "impatient")


def begin_impatiently() -> None:
    with transaction.atomic("impatient"):
        pytest.fail("the turn of another one has not ended")


def names() -> list[str]:
    with connections["impatient"].cursor() as cursor:
        cursor.execute("SELECT name FROM entry ORDER BY id")
        return [name for (name,) in cursor.fetchall()]


def write_in_transaction(name: str) -> None:
    with transaction.atomic("patient"):
        write(name)


def in_line(pool: ThreadPoolExecutor, path: Path, act: Callable[[], Any]) -> "Future[Any]":
    """Begin to run `act` in a thread of `pool`, and return once it waits for its turn."""
    queue = line(os.path.realpath(path))
    last = queue._last
    future = pool.submit(attempt, act)
    until = time.monotonic() + 30
    while queue._last is last:
        assert time.monotonic() < until, "it has not asked for a turn"
        time.sleep(0.001)
    return future


@pytest.mark.parametrize("act", [write, write_in_transaction])
def test_writers_write_in_the_order_in_which_they_came(file: Path, act: Callable[[str], None]) -> None:
    expected = [f"writer-{number}" for number in range(24)]
    with ThreadPoolExecutor(len(expected)) as pool:
        with transaction.atomic("patient"):
            futures = [in_line(pool, file, lambda name=name: act(name)) for name in expected]  # type: ignore[misc]
            assert names() == []
        assert [future.result(60) for future in futures] == [None] * len(expected)
    assert names() == expected


def commit() -> None:
    write_in_transaction("written")


def roll_back() -> None:
    with transaction.atomic("patient"):
        write("not written")
        transaction.set_rollback(True, "patient")


def leave_by(error: type[BaseException]) -> None:
    def run() -> None:
        with transaction.atomic("patient"):
            write("not written")
            raise error

    with pytest.raises(error):
        run()


def fail() -> None:
    leave_by(ZeroDivisionError)


def end_by_the_interpreter() -> None:
    leave_by(SystemExit)


def close_within() -> None:
    with transaction.atomic("patient"):
        write("not written")
        connections["patient"].close()


def leave_open_in_a_thread_that_ends() -> None:
    def begin() -> None:
        with connections["patient"].cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute(INSERT, ["not written"])

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join(60)
    # its connection is in cycles
    del thread
    gc.collect()


def begin_twice() -> None:
    with connections["patient"].cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="within a transaction"):
            cursor.execute("BEGIN IMMEDIATE")
    connections["patient"].rollback()


def fail_to_commit() -> None:
    def refuse() -> None:
        raise OperationalError("disk I/O error")

    ours: Any = connections["patient"]
    ours._commit = refuse
    with pytest.raises(OperationalError, match="disk I/O error"):
        write_in_transaction("not written")
    del ours._commit


def write_alone() -> None:
    write("written")


def write_alone_what_is_refused() -> None:
    with connections["patient"].cursor() as cursor, pytest.raises(IntegrityError):
        cursor.execute("INSERT INTO entry (id, name) VALUES (1, 'a'), (1, 'b')")


def write_many() -> None:
    with connections["patient"].cursor() as cursor:
        cursor.executemany(INSERT, [["written"], ["written too"]])


def write_without_autocommit() -> None:
    connections["patient"].set_autocommit(False)
    write("written")
    with pytest.raises(OperationalError, match="locked"):
        write("another", "impatient")
    connections["patient"].commit()
    connections["patient"].set_autocommit(True)


ACTS = {
    commit: ["written"],
    roll_back: [],
    fail: [],
    end_by_the_interpreter: [],
    close_within: [],
    leave_open_in_a_thread_that_ends: [],
    begin_twice: [],
    fail_to_commit: [],
    write_alone: ["written"],
    write_alone_what_is_refused: [],
    write_many: ["written", "written too"],
    write_without_autocommit: ["written"],
}


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_a_turn_ends_however_its_writer_leaves(file: Path, act: Callable[[], None]) -> None:
    act()
    write("next", "impatient")
    assert names() == [*ACTS[act], "next"]


def test_a_turn_lasts_to_the_end_of_the_outermost_transaction(file: Path) -> None:
    with transaction.atomic("patient"):
        with transaction.atomic("patient"):
            write("inner")
        with pytest.raises(ZeroDivisionError), transaction.atomic("patient"):
            raise ZeroDivisionError
        with pytest.raises(OperationalError, match="database is locked"):
            write("another", "impatient")
        write("outer")
    write("another", "impatient")
    assert names() == ["inner", "outer", "another"]


def test_a_writer_whose_turn_does_not_come_in_time_is_refused_as_by_sqlite_and_the_line_goes_on(file: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic("patient"):
            before = in_line(pool, file, lambda: write("before"))
            for act in (write_impatiently, begin_impatiently):
                with pytest.raises(OperationalError, match="database is locked") as refused:
                    act()
                outage = outages.refusal(refused.value)
                assert outage
                assert outage.reason == "TooManyRequests"
            after = in_line(pool, file, lambda: write("after"))
        assert [before.result(60), after.result(60)] == [None, None]
    assert names() == ["before", "after"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM entry",
        "WITH found AS (SELECT name FROM entry) SELECT name FROM found",
        "SELECT 'INSERT' AS name",
        "PRAGMA user_version",
    ],
)
def test_readers_wait_for_nobody(file: Path, sql: str) -> None:
    with transaction.atomic("patient"):
        write("written")
        with connections["impatient"].cursor() as cursor:
            cursor.execute(sql)
            cursor.fetchall()


def test_two_files_have_two_lines(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.sqlite3"
    other.write_bytes(file.read_bytes())
    _alias(monkeypatch, "other", other, 0)
    try:
        with transaction.atomic("patient"), transaction.atomic("other"):
            write("here")
            write("there", "other")
    finally:
        connections["other"].close()
        del connections["other"]
    assert names() == ["here"]


def test_a_link_to_a_file_has_its_line(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(file)
    _alias(monkeypatch, "link", tmp_path / "link", 0)
    try:
        turn = Turn()
        assert line(os.path.realpath(file)).wait(turn, 0)
        with pytest.raises(OperationalError, match="database is locked"):
            write("refused", "link")
        turn.end()
        write("written", "link")
    finally:
        connections["link"].close()
        del connections["link"]
    assert names() == ["written"]


def test_another_process_goes_by_the_lock_of_sqlite(file: Path) -> None:
    with ThreadPoolExecutor(2) as pool, closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO entry (name) VALUES ('of another process')")
        with pytest.raises(OperationalError, match="database is locked"):
            write("refused", "impatient")
        futures = [in_line(pool, file, lambda: write("first")), in_line(pool, file, lambda: write("second"))]
        other.execute("COMMIT")
        assert [future.result(60) for future in futures] == [None, None]
    assert names() == ["of another process", "first", "second"]


def test_a_forked_process_does_not_wait_for_threads_of_its_parent(file: Path) -> None:
    turn = Turn()
    assert line(os.path.realpath(file)).wait(turn, 0)
    child = os.fork()
    if not child:
        try:
            write("of the child", "impatient")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    turn.end()
    assert names() == ["of the child"]
