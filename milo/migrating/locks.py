"""Locks of tables, waited for briefly and tried again, so that nobody queues behind `migrate` for long.

A statement that waits for a lock on a table makes everybody wait who comes after it, readers too. One transaction left
open would so stop the service.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from django.core.management.base import CommandError
from django.db import DatabaseError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

LOCK_TIMEOUT = timedelta(milliseconds=500)
"""How long one statement waits. Below deadlock_timeout (1 s), so that `migrate` gives way before PostgreSQL ends a
transaction of the service to resolve a deadlock."""
STATEMENT_TIMEOUT = timedelta(hours=1)
"""How long one statement runs, however long the service's own may (a migration writes more)."""
PATIENCE = timedelta(minutes=5)
"""How long the pauses between attempts at one thing are together."""
_LONGEST_PAUSE = 5.0  # seconds
_REFUSED = {"55P03", "40P01"}  # lock_not_available, deadlock_detected
_HOLDERS = (
    "SELECT DISTINCT pid FROM pg_catalog.pg_locks JOIN pg_catalog.pg_class ON pg_class.oid = relation"
    " WHERE database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
    " AND relnamespace = to_regnamespace('public') AND granted AND pid <> pg_backend_pid() ORDER BY pid"
)


@contextmanager
def brief_waits(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Each statement inside waits `LOCK_TIMEOUT` for a lock and runs `STATEMENT_TIMEOUT` (PostgreSQL)."""
    if connection.vendor != "postgresql":
        yield
        return
    timeouts = {
        "lock_timeout": LOCK_TIMEOUT,
        "statement_timeout": STATEMENT_TIMEOUT,
        "idle_in_transaction_session_timeout": timedelta(0),
    }
    with connection.cursor() as cursor:
        for name, timeout in timeouts.items():
            cursor.execute(f"SET {name} = {timeout // timedelta(milliseconds=1)}")
    try:
        yield
    finally:
        # a connection that was lost has lost them too
        with suppress(DatabaseError), connection.cursor() as cursor:
            for name in timeouts:
                cursor.execute(f"RESET {name}")


@contextmanager
def long_waits(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let statements in the block wait for locks without a bound (PostgreSQL). For what blocks nobody."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        (before,) = cursor.fetchone()
        cursor.execute("SET lock_timeout = 0")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [before])


def patiently(
    connection: BaseDatabaseWrapper, operation: Callable[[], object], *, what: str, say: Callable[[str], object]
) -> None:
    """Call `operation`, and retry it while others hold the locks that it needs. It must be atomic.

    Calls `say` with a line before each pause. After `PATIENCE` raises `CommandError`, which names the processes of
    PostgreSQL that hold locks on tables.
    """
    # counts pauses only: a migration that runs for an hour is no reason to give up at the first refusal
    waited, pause = 0.0, 0.25
    while True:
        try:
            operation()
            return
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") not in _REFUSED:
                raise
            if waited + pause > PATIENCE.total_seconds():
                raise CommandError(_timed_out(connection, what)) from error
        say(f"  {what}: others hold the locks that this needs; trying again in {pause:g} s")
        time.sleep(pause)
        waited += pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def _timed_out(connection: BaseDatabaseWrapper, what: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS)
        holders = ", ".join(str(pid) for (pid,) in cursor.fetchall()) or "none any more"
    return (
        f"{what}: others have held the locks that this needs for {PATIENCE.total_seconds():g} s. What was there before"
        f" stands; run migrate again. Processes that hold locks on tables now: {holders} (see pg_stat_activity)"
    )
