"""What PostgreSQL knows of tables for its plans: about how many rows they have, and how many of them a value."""

import time

from django.db import connection

# seconds
_FRESH = 60
_known: dict[str, int] = {}
_known_at: float | None = None


def of_tables() -> dict[str, int]:
    """Return about how many rows tables have. One query a minute."""
    global _known, _known_at
    if _known_at is None or time.monotonic() - _known_at > _FRESH:
        with connection.cursor() as cursor:
            cursor.execute("SELECT relname, reltuples FROM pg_catalog.pg_class WHERE relkind = 'r'")
            _known, _known_at = dict(cursor.fetchall()), time.monotonic()
    return _known


def shares(table: str, column: str) -> dict[str, float]:
    """Return the most common values of a column of texts, and about what share of the rows has each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT most_common_vals::text::text[], most_common_freqs FROM pg_catalog.pg_stats"
            " WHERE schemaname = current_schema() AND tablename = %s AND attname = %s",
            [table, column],
        )
        values, frequencies = cursor.fetchone() or (None, None)
    return dict(zip(values or [], frequencies or [], strict=True))
