"""Timelines: instants that only increase, whichever process writes and however its clock is set.

The history rows of an object and of those that belong to it form one timeline; that object is its head. Writers hold
the lock of the head, so no newer instant than the one read here can exist.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, models
from django.utils.dateparse import parse_datetime

from milo import clock
from milo.audit.transactions import Key, instants


class _Member(NamedTuple):
    table: Callable[[], str]
    foreign_key: str


_STEP = timedelta(microseconds=1)
_members: dict[type[models.Model], _Member] = {}


def register(model: type[models.Model], table: Callable[[], str], foreign_key: str = "") -> None:
    """Add the history of `model` to timelines: that of the row at `foreign_key`, or of each row itself."""
    _members[model] = _Member(table, foreign_key)


def ledger_time(row: models.Model, after: datetime | None = None) -> datetime:
    """Return the instant (UTC) of the current transaction, for a change of `row`.

    It is the clock's, but at least 1 microsecond after `after` and after the newest instant of the timeline of `row`.
    Lock the head of the timeline before. Outside a transaction, where nothing is written, it is the clock's.
    Raises `ClockWrong`.

    All rows of a transaction share one instant, which moves forward only if the timeline of a further row requires it:
    a reader "as of" an instant must not see half of a transaction.
    """
    current = instants()
    if current is None:
        return clock.ledger_time(after)
    head = _head_of(row)
    if head not in current.newest:
        current.newest[head] = _newest(*head)
    floor = max((at for at in (current.newest[head], after) if at), default=None)
    if current.at is None or (floor and current.at <= floor):
        current.at = clock.ledger_time(floor)
    return current.at


def read_time_lines(rows: Sequence[models.Model]) -> None:
    """Read the newest instants of the timelines of `rows`, all of one model, in one query for `ledger_time`.

    Lock the heads of the timelines before. Do nothing outside a transaction. Raises `ClockWrong`.
    """
    current = instants()
    if current is None:
        return
    heads = [head for row in rows if (head := _head_of(row)) not in current.newest and head[1] is not None]
    if heads:
        current.newest.update(_newest_of_all(heads[0][0], list(dict.fromkeys(key for _model, key in heads))))


def begin(row: models.Model) -> None:
    """Note that `row` begins a timeline, since the database has just drawn its key: that needs no query.

    Do nothing unless the query of another timeline has compared the clocks in this transaction.
    """
    current, head = instants(), _head_of(row)
    if current and head == (type(row), row.pk) and any(current.newest.values()):
        current.newest[head] = None


def history_time(row: models.Model) -> datetime:
    """Return the instant (UTC) of the next history row of `row`.

    All history rows of a transaction have one instant, so that nobody reads half of it. A second one of the same row is
    1 microsecond later.
    """
    at, current = ledger_time(row), instants()
    if current is None:
        return at
    key = type(row), row.pk
    at = current.written[key] = max(at, current.written.get(key, at - _STEP) + _STEP)
    return at


def next_time(row: models.Model) -> datetime:
    """Return the instant (UTC) of a change of `row`, also outside a transaction. The row is locked by its write."""
    return clock.ledger_time(_newest(*_head_of(row)))


def _head_of(row: models.Model) -> tuple[type[models.Model], Any]:
    member = _members.get(type(row))
    if member is None or not member.foreign_key:
        return type(row), row.pk
    column = row._meta.get_field(member.foreign_key)
    assert isinstance(column, models.ForeignKey)
    return column.related_model, getattr(row, column.attname)


def _newest(head: type[models.Model], key: Any) -> datetime | None:
    """Return the newest instant of a timeline; None if its head is not written yet.

    Raises `ClockWrong` where the clock of this process differs from PostgreSQL's, which the same query reads. An
    instant ahead would lie in the future, so that "now" and "at this instant" differed until then. One behind would lie
    in the past: an account would have paid before it was chosen, or before it was Ready.
    """
    parts = _parts(head, "%s")
    if key is None or not parts:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT max(at){_and_their_clock()} FROM ({' UNION ALL '.join(parts)}) AS line", [key] * len(parts)
        )
        at, *database_clock = cursor.fetchone()
    if database_clock:
        clock.refuse_difference(*database_clock)
    return _instant(at)


def _newest_of_all(head: type[models.Model], keys: Sequence[Any]) -> dict[Key, datetime | None]:
    """Return the newest instants of timelines by their heads, as `_newest` does of one. Raises `ClockWrong`."""
    newest: dict[Key, datetime | None] = {(head, key): None for key in keys}
    if parts := _parts(head, "head.column1"):
        # a subquery for each, which reads one entry of an index; grouped, all rows of the timelines would be read
        at = f"(SELECT max(at) FROM ({' UNION ALL '.join(parts)}) AS line)"
        listed = ", ".join(["(%s)"] * len(keys))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT head.column1, {at}{_and_their_clock()} FROM (VALUES {listed}) AS head", keys)
            rows = cursor.fetchall()
        newest |= {(head, row[0]): _instant(row[1]) for row in rows}
        if database_clock := rows[0][2:]:
            clock.refuse_difference(*database_clock)
    return newest


def _parts(head: type[models.Model], key: str) -> list[str]:
    """Return queries of the newest instants of all histories of the timeline whose head has the SQL key `key`."""
    quote, parts = connection.ops.quote_name, []
    for model, member in _members.items():
        column: Any = model._meta.get_field(member.foreign_key) if member.foreign_key else model._meta.pk
        if model is head or (member.foreign_key and column.related_model is head):
            parts.append(
                f"SELECT max(history_date) AS at FROM {quote(member.table())} WHERE {quote(column.column)} = {key}"
            )
    return parts


def _and_their_clock() -> str:
    return f", {clock.DATABASE_CLOCK}" if connection.vendor == "postgresql" else ""


def _instant(at: Any) -> datetime | None:
    if isinstance(at, str):
        # SQLite stores instants as texts in UTC
        parsed = parse_datetime(at)
        assert parsed
        return parsed.replace(tzinfo=UTC)
    return at  # type: ignore[no-any-return]
