"""Locks that keep intakes apart from changes of the payer, so that each event is counted for the payer of its time.

An intake holds the locks of its projects shared until it commits; a change of the payer, or the closing of a month,
holds them exclusively. They are PostgreSQL's advisory locks, which queue fairly, so that a stream of intakes cannot
starve a binding. 64 locks stand for all projects, because one intake may concern 10,000. SQLite has one writer, and
needs no lock.
"""

from collections.abc import Iterable

from django.db import connection

# "usag" in ASCII: a number of its own, so that no other advisory lock of the database collides
_SPACE = 0x75736167
BUCKETS = 64
"""The lock of a project is that of the remainder of its primary key."""


def lock_shared(project_ids: Iterable[int]) -> None:
    """Keep the payers of these projects unchanged until the transaction ends."""
    _lock("pg_advisory_xact_lock_shared", {project_id % BUCKETS for project_id in project_ids})


def lock_exclusive(*project_ids: int) -> None:
    """Wait for the running intakes of the projects, and block new ones until the transaction ends.

    A transaction that changes the payers of several projects names them all at once: one after the other it could
    deadlock with an intake.
    """
    _lock("pg_advisory_xact_lock", {project_id % BUCKETS for project_id in project_ids})


def lock_all_exclusive() -> None:
    """Wait for the running intakes of all projects, and block new ones until the transaction ends."""
    _lock("pg_advisory_xact_lock", range(BUCKETS))


def _lock(function: str, buckets: Iterable[int]) -> None:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        # in one order, so that two transactions cannot deadlock
        cursor.execute(
            f"SELECT {function}(%s, bucket) FROM unnest(%s::int[]) AS bucket",
            [_SPACE, sorted(buckets)],
        )
