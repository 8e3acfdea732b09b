"""Threads for tests. They close their connections, so that the test database can be dropped."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

T = TypeVar("T")
Outcome = Any
HANDICAP = 0.001  # seconds


def attempt(call: Callable[[], T]) -> T | Exception:
    """Return what `call` returned or raised, and close its connection, as at the end of a request."""
    try:
        return call()
    except Exception as error:
        return error
    finally:
        connections.close_all()


def at_once(calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Run `calls` at the same moment, each in a thread. Return what each returned or raised, in their order."""
    start = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | Exception:
        start.wait(timeout=30)
        return attempt(call)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def races(pairs: Sequence[tuple[Callable[[], object], Callable[[], object]]]) -> list[tuple[Outcome, Outcome]]:
    """Run the two calls of each pair at the same moment, pair after pair. Return what each returned or raised.

    The first call of a pair must be refused if the second one comes before it: that is how the winner is known. The
    winner starts 1 ms later in the next race, so that races stay close. Otherwise a single statement would always beat
    a transaction of many, and the test would prove nothing. Fails unless each side has won a tenth of the races.
    """
    start, handicap = Barrier(2), [0.0]
    first, second = zip(*pairs, strict=True)

    def run_first() -> list[Outcome]:
        outcomes = []
        for call in first:
            start.wait(timeout=30)
            time.sleep(max(0.0, -handicap[0]))
            outcomes.append(attempt(call))
            handicap[0] += HANDICAP if isinstance(outcomes[-1], Exception) else -HANDICAP
        return outcomes

    def run_second() -> list[Outcome]:
        outcomes = []
        for call in second:
            start.wait(timeout=30)
            time.sleep(max(0.0, handicap[0]))
            outcomes.append(attempt(call))
        return outcomes

    lanes: list[Any] = at_once([run_first, run_second])
    outcomes = list(zip(*lanes, strict=True))
    lost = sum(isinstance(outcome, Exception) for outcome, _ in outcomes)
    assert len(pairs) / 10 <= lost <= len(pairs) * 9 / 10, f"one side lost {lost} of {len(pairs)} races"
    return outcomes


def patiently(act: Callable[[], T]) -> T:
    """Do what `act` does, up to five times where a lock was not had in time, as a client is told by 429."""
    for _ in range(4):
        try:
            return act()
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
    return act()
