"""Let one `migrate` run at a time. A second one waits, and then finds nothing to do."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

KEY = int.from_bytes(b"migrate", "big")
"""The number of the advisory lock of PostgreSQL, which counts in one database."""
_PAUSE = 0.5  # seconds
_WAITING = "  another migrate is at work; waiting until it has ended"


@contextmanager
def one_at_a_time(connection: BaseDatabaseWrapper, say: Callable[[str], object]) -> Iterator[None]:
    """Enter the block when no other process migrates this database. Calls `say` once if it has to wait.

    The lock is released with the connection, so a killed process leaves none behind.
    """
    if connection.vendor == "postgresql":
        with _advisory_lock(connection, say):
            yield
    elif connection.vendor == "sqlite" and not connection.is_in_memory_db():  # type: ignore[attr-defined]
        with _lock_of_folder(Path(connection.settings_dict["NAME"]).absolute().parent, say):
            yield
    else:
        yield


@contextmanager
def _advisory_lock(connection: BaseDatabaseWrapper, say: Callable[[str], object]) -> Iterator[None]:
    waited = False
    # asked again and again: a statement that waits has a snapshot, which CREATE INDEX CONCURRENTLY would wait for
    while not _ask(connection, "SELECT pg_try_advisory_lock(%s)"):
        if not waited:
            say(_WAITING)
        waited = True
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        # it went with the connection where that is lost
        with suppress(DatabaseError):
            _ask(connection, "SELECT pg_advisory_unlock(%s)")


def _ask(connection: BaseDatabaseWrapper, statement: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [KEY])
        (answer,) = cursor.fetchone()
    return bool(answer)


@contextmanager
def _lock_of_folder(folder: Path, say: Callable[[str], object]) -> Iterator[None]:
    # of the folder, because closing the file itself anywhere in a process ends SQLite's locks on it
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(_WAITING)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
