"""Threads of a test, which leave no connection behind that would keep the test database from being dropped."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


def at_once(calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Call all of `calls` at the same moment, each in a thread; what each returned or raised, in their order."""
    start = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | Exception:
        try:
            start.wait(timeout=30)
            return call()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
