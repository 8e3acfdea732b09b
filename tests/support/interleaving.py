"""Concurrent transactions in a fixed order, so that a missing lock fails a test each time and not now and then."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, connections, transaction

from milo import audit
from milo.kube.models import Counter

T = TypeVar("T")
# pg_locks, because pg_stat_activity shows what a connection waits for to its own role only
STUCK = """
    SELECT count(DISTINCT waiting.pid) FROM pg_locks AS waiting JOIN pg_stat_activity AS own USING (pid)
    WHERE NOT waiting.granted AND own.datname = current_database()"""


def _begin(pool: ThreadPoolExecutor, call: Callable[[], T]) -> "Future[T]":
    def run() -> T:
        try:
            return call()
        finally:
            connections.close_all()

    return pool.submit(run)


def _wait_until_stuck(futures: "Sequence[Future[T]]") -> None:
    """Return once each call is done or waits for a lock. Raises `TimeoutError` after 10 seconds."""
    if connection.vendor == "sqlite":  # it does not tell who waits for its single writer
        time.sleep(0.1)
        return
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(STUCK)
            if cursor.fetchone()[0] >= sum(not future.done() for future in futures):
                return
        time.sleep(0.005)
    raise TimeoutError("a call is neither done nor waits for a lock")


def _outcome(future: "Future[T]") -> T | Exception:
    try:
        return future.result(timeout=30)
    except Exception as error:
        return error


def then(first: Callable[[], object], second: Callable[[], T]) -> T | Exception:
    """Start `second` while `first` is done but not committed. Return what `second` returned or raised."""
    with ThreadPoolExecutor(1) as pool:
        with audit.transaction():
            first()
            future = _begin(pool, second)
            _wait_until_stuck([future])
        return _outcome(future)


def side_by_side(*calls: Callable[[], T]) -> list[T | Exception]:
    """Run `calls` up to the numbering of their revisions, then let them commit. Return what each returned or raised.

    The lock of the change log's counter holds them up. They start one after the other, so that they wait and continue
    in their order.
    """
    with ThreadPoolExecutor(len(calls)) as pool:
        with transaction.atomic():
            list(Counter.objects.select_for_update())
            futures: list[Future[T]] = []
            for call in calls:
                futures.append(_begin(pool, call))
                _wait_until_stuck(futures)
        return list(map(_outcome, futures))


def started(call: Callable[[], T]) -> Callable[[], T | Exception]:
    """Start `call` in a thread, and return once it is done or waits for a lock; what is returned waits for its outcome.

    SQLite, whose single writer the caller may be, is not waited for.
    """
    pool = ThreadPoolExecutor(1)
    future = _begin(pool, call)
    pool.shutdown(wait=False)
    _wait_until_stuck([future])
    return lambda: _outcome(future)
