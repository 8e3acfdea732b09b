"""What keeps an intake and a change of who pays apart, so that an event is counted for who pays in the end.

An intake shares the locks of its projects until it has committed; whoever changes who pays for a project, or closes a
month, has them alone. PostgreSQL's advisory locks queue fairly, so that no stream of intakes keeps a binding waiting;
64 stand for all projects, because an intake may be about 10,000 of them. SQLite has one writer.
"""

from collections.abc import Iterable

from django.db import connection

# "usag", so that no other lock of the database has the same number
_SPACE = 0x75736167
_BUCKETS = 64


def lock_shared(project_ids: Iterable[int]) -> None:
    """Until the transaction ends, nobody changes who pays for these projects."""
    _lock("pg_advisory_xact_lock_shared", {project_id % _BUCKETS for project_id in project_ids})


def lock_exclusive(project_id: int) -> None:
    """Wait for the intakes of a project that are under way, and keep new ones waiting until the transaction ends."""
    _lock("pg_advisory_xact_lock", {project_id % _BUCKETS})


def lock_all_exclusive() -> None:
    """As `lock_exclusive`, for all projects."""
    _lock("pg_advisory_xact_lock", range(_BUCKETS))


def _lock(function: str, buckets: Iterable[int]) -> None:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        # in one order, so that nobody waits in a circle
        cursor.execute(
            f"SELECT {function}(%s, bucket) FROM unnest(%s::int[]) AS bucket",
            [_SPACE, sorted(buckets)],
        )
