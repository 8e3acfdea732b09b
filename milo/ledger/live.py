"""Compare live rows with their newest history rows, a bounded number of history rows at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection

from milo.ledger.tables import Table

AT_ONCE = 2000
SKEW = timedelta(days=1)
"""Tolerated difference between clocks, for versions that did not enforce increasing instants."""
_EARLIER = {
    "postgresql": f"history_date < before - interval '{SKEW.days} days'",
    "sqlite": f"julianday(history_date) < julianday(before) - {SKEW.days}",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that contradicts sealed rows; `row` is None if its key is no number."""

    table: str
    row: int | None
    message: str


def difference(table: Table) -> Difference | None:
    """Return the first live row that differs from its newest row in the history `table`, or None."""
    return next((found for found in differences(table) if found), None)


def difference_among(table: Table, rows: Iterable[int]) -> Difference | None:
    """Return the first of the live `rows` (primary keys) that differs from its newest row in the history `table`."""
    assert table.recorded
    key = table.recorded._meta.pk.column
    keys = [str(int(row)) for row in sorted(rows)]
    for start in range(0, len(keys), AT_ONCE):
        if found := _compare(table, f"{key} IN ({', '.join(keys[start : start + AT_ONCE])})"):
            return found
    return None


def rows_changed(table: Table, after: int) -> set[int]:
    """Return the primary keys of the live rows that the history `table` has rows of with keys beyond `after`."""
    assert table.recorded
    changes = table.model._base_manager.filter(pk__gt=after).order_by()
    return set(changes.values_list(table.recorded._meta.pk.name, flat=True).distinct())


def differences(table: Table) -> Iterator[Difference | None]:
    """Compare live rows with the history `table`. Yield the first difference, or None, of each `AT_ONCE` history rows.

    Both sides of a comparison are bounded by the same range of the live key, so that no plan reads beyond it, whatever
    the statistics are. The last range has no upper bound, because it contains live rows newer than all history.
    """
    assert table.recorded
    for within in _ranges(table.name, str(table.recorded._meta.pk.column)):
        yield _compare(table, within)


def _compare(table: Table, within: str) -> Difference | None:
    """Return the first difference among the rows whose live key meets the condition `within`."""
    assert table.recorded
    name, key = table.recorded._meta.db_table, str(table.recorded._meta.pk.column)
    columns = [
        str(column.column)
        for column in table.recorded._meta.concrete_fields
        if column.name not in table.unrecorded and not column.primary_key
    ]
    differs = " OR ".join(f"live.{column} IS DISTINCT FROM past.{column}" for column in columns)
    past = (
        f"(SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY history_id DESC) AS age"
        f" FROM {table.name} WHERE {within}) AS past"
    )
    live = f"(SELECT * FROM {name} WHERE {within}) AS live"
    changed = _first(
        f"SELECT past.{key} FROM {past} LEFT JOIN {live} ON live.{key} = past.{key} WHERE past.age = 1"
        f" AND CASE past.history_type WHEN '-' THEN live.{key} IS NOT NULL"
        f" ELSE live.{key} IS NULL OR {differs} END ORDER BY past.{key} LIMIT 1"
    )
    unexplained = _first(
        f"SELECT live.{key} FROM {live} LEFT JOIN (SELECT {key} FROM {table.name} WHERE {within}) AS past"
        f" ON past.{key} = live.{key} WHERE past.{key} IS NULL ORDER BY live.{key} LIMIT 1"
    )
    backwards = _first(
        f"SELECT {key} FROM (SELECT {key}, history_date, lag(history_date) OVER"
        f" (PARTITION BY {key} ORDER BY history_id) AS before FROM {table.name} WHERE {within}) AS past"
        f" WHERE {_EARLIER[connection.vendor]} ORDER BY {key} LIMIT 1"
    )
    if changed is not None:
        return Difference(name, changed, "is not what its newest history row says")
    if unexplained is not None:
        return Difference(name, unexplained, "has no history")
    if backwards is not None:
        return Difference(name, backwards, "has history that is dated before the history before it")
    return None


def _ranges(history: str, key: str) -> Iterator[str]:
    """Yield conditions on the live key that partition all numbers, each with about `AT_ONCE` rows of the history."""
    begun = f"{key} IS NOT NULL"
    while (
        end := _first(f"SELECT {key} FROM {history} WHERE {begun} ORDER BY {key} LIMIT 1 OFFSET {AT_ONCE}")
    ) is not None:
        yield f"{begun} AND {key} <= {end}"
        begun = f"{key} > {end}"
    yield begun


def _first(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    return row and int(row[0])
