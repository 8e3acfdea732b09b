"""Plans of PostgreSQL for the statements of lists and counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet


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


def number_up_to(rows: QuerySet[Any], most: int) -> int:
    """Return how many rows there are, counted up to `most`."""
    with planned_for_their_values():
        return int(rows.order_by().values("pk")[:most].aggregate(number=Count("*"))["number"])
