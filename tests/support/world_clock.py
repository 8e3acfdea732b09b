"""PostgreSQL's clock in tests, which goes with `timezone.now` where a test has replaced that.

A test that travels means another day, not a wrong clock. The guards of a test database, and the process, read the
function `test_clock` in place of `clock_timestamp` (tests/settings.py). It adds the travel of the connection, which is
told to it when it has changed. A test of wrong clocks calls `stay`: then only the process travels.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils import timezone
from psycopg.pq import TransactionStatus

from milo.append_only import SEARCH_PATH

FUNCTION = "public.test_clock()"
_MAKE = (
    f"CREATE OR REPLACE FUNCTION {FUNCTION} RETURNS timestamptz LANGUAGE sql SET search_path = {SEARCH_PATH}"
    " AS $$ SELECT clock_timestamp()"
    " + make_interval(secs => coalesce(nullif(current_setting('milo_test.travel', true), ''), '0')::float) $$"
)
_true_now = timezone.now
_TOLD = "_milo_test_travel"
# seconds by which an instant that a test has fixed may go on; telling each statement took a quarter of the time
_STILL = 0.02
_staying = False


def make_function(**kwargs: Any) -> None:
    """Make `test_clock`, before migrations and guards write anything."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_MAKE)


def install() -> None:
    """Tell each connection to PostgreSQL, from now on, how far the test has travelled."""
    connection_created.connect(_wrap, dispatch_uid="tests.world_clock")
    if connection.connection is not None:
        _wrap(connection=connection)


@contextmanager
def stay() -> Iterator[None]:
    """The clock of the database is the real one within, however the clock of the process is set."""
    global _staying
    _staying = True
    try:
        yield
    finally:
        _staying = False


def _wrap(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.vendor == "postgresql" and _tell not in connection.execute_wrappers:
        connection.execute_wrappers.append(_tell)


def _tell(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    held: Any = context["connection"].connection
    seconds = 0.0 if _staying or timezone.now is _true_now else (timezone.now() - _true_now()).total_seconds()
    if held is not None and (seconds or hasattr(held, _TOLD)):
        status = held.info.transaction_status
        last: tuple[Any, bool] = getattr(held, _TOLD, (None, False))
        told, kept = last
        # before a transaction there may have been one that was rolled back, with what it was told
        is_known = told is not None and (kept or status != TransactionStatus.IDLE)
        if status != TransactionStatus.INERROR and not (is_known and abs(seconds - told) < _STILL):
            held.execute("SELECT set_config('milo_test.travel', %s, false)", [str(seconds)])
            setattr(held, _TOLD, (seconds, held.autocommit and status == TransactionStatus.IDLE))
        if sql.startswith("ROLLBACK TO"):
            setattr(held, _TOLD, (None, False))
    return execute(sql, params, many, context)
