"""Plans of PostgreSQL for the statements of lists and counts."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def planned_for_their_values() -> Iterator[None]:
    """Prepare none of the statements within.

    Of a prepared one PostgreSQL may keep a plan for any value. Rows of a phase that all have are found at once in any
    order; by the same plan the whole table is read for a phase that none has.
    """
    if connection.vendor != "postgresql":
        yield
        return
    connection.ensure_connection()
    raw = connection.connection
    kept, raw.prepare_threshold = raw.prepare_threshold, None
    try:
        yield
    finally:
        raw.prepare_threshold = kept
