"""Time lines: instants that only go forward, whichever process writes and however its clock is set.

The history rows of an account, its suspensions, holds and requests form one time line, whose head is the account.
Whoever writes to it holds the lock of its head, so the newest instant that is read here is the newest there is.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, models
from django.utils.dateparse import parse_datetime

from milo import clock
from milo.audit.transactions import instants


class _Member(NamedTuple):
    table: Callable[[], str]
    foreign_key: str


_STEP = timedelta(microseconds=1)
_members: dict[type[models.Model], _Member] = {}


def register(model: type[models.Model], table: Callable[[], str], foreign_key: str = "") -> None:
    """Make the history of `model` part of a time line: of the row that `foreign_key` names, or of each row's own."""
    _members[model] = _Member(table, foreign_key)


def ledger_time(row: models.Model, after: datetime | None = None) -> datetime:
    """Return the instant (UTC) at which the present act changes `row`.

    It is the act's: now, or 1 microsecond after `after` and after the newest instant of the time line of `row`. Call it
    once the head of the time line is locked. Outside an act, where nothing is written, it is the clock's.
    """
    given = instants()
    if given is None:
        return clock.ledger_time(after)
    head = _head_of(row)
    if head not in given.newest:
        given.newest[head] = _newest(*head)
    floor = max((at for at in (given.newest[head], after) if at), default=None)
    if given.at is None or (floor and given.at <= floor):
        given.at = clock.ledger_time(floor)
    return given.at


def history_time(row: models.Model) -> datetime:
    """Return the instant (UTC) of the next history row of `row`.

    All history rows of an act have one instant, so that nobody is told half of it; a second one of the same row comes 1
    microsecond later.
    """
    at, given = ledger_time(row), instants()
    if given is None:
        return at
    key = type(row), row.pk
    at = given.written[key] = max(at, given.written.get(key, at - _STEP) + _STEP)
    return at


def next_time(row: models.Model) -> datetime:
    """Return the instant (UTC) of a change of `row`, in an act or not; the row is locked, because it was written."""
    return clock.ledger_time(_newest(*_head_of(row)))


def _head_of(row: models.Model) -> tuple[type[models.Model], Any]:
    member = _members.get(type(row))
    if member is None or not member.foreign_key:
        return type(row), row.pk
    column = row._meta.get_field(member.foreign_key)
    assert isinstance(column, models.ForeignKey)
    return column.related_model, getattr(row, column.attname)


def _newest(head: type[models.Model], key: Any) -> datetime | None:
    """Return the newest instant of a time line; None where its head is not written yet."""
    quote, parts = connection.ops.quote_name, []
    for model, member in _members.items():
        column: Any = model._meta.get_field(member.foreign_key) if member.foreign_key else model._meta.pk
        if model is head or (member.foreign_key and column.related_model is head):
            parts.append(
                f"SELECT max(history_date) AS at FROM {quote(member.table())} WHERE {quote(column.column)} = %s"
            )
    if key is None or not parts:
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT max(at) FROM ({' UNION ALL '.join(parts)}) AS line", [key] * len(parts))
        (at,) = cursor.fetchone()
    if isinstance(at, str):
        # SQLite keeps instants as texts in UTC
        parsed = parse_datetime(at)
        assert parsed
        return parsed.replace(tzinfo=UTC)
    return at  # type: ignore[no-any-return]
