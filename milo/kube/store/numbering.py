"""Numbers of revisions: taken by the statement that writes them, which is the last one of an act.

The counter's row stays locked from then to the commit, so that numbers become visible in their order, and every other
act waits for it. So what takes Python time is done before: a manifest is made with a mark where its number will stand.
"""

from typing import Any

from django.db import connection, models

from milo.compiled_queries import Insert
from milo.kube.models import Change

UNNUMBERED = 0
"""The number by which a manifest is rendered that has none yet."""
_MARK = f'"resourceVersion":"{UNNUMBERED}"'
_TAKE = (
    "INSERT INTO kube_counter (id, value) VALUES (1, %s)"
    " ON CONFLICT (id) DO UPDATE SET value = kube_counter.value + excluded.value RETURNING value"
)
_INSERT = Insert(Change)


def write(revisions: list[Change]) -> None:
    """Write revisions under the next numbers, in their order, and note these on them and in their manifests.

    Waits for every act that numbered before and has not committed.
    """
    if connection.vendor == "postgresql":
        first = _write_numbered(revisions)
        _note(revisions, first)
    else:
        # one act writes at a time, whatever its statements are
        _note(revisions, _take(len(revisions)))
        _INSERT(revisions)


def _note(revisions: list[Change], first: int) -> None:
    for number, revision in enumerate(revisions, first):
        revision.resource_version = number
        revision.manifest["metadata"]["resourceVersion"] = str(number)


def _take(count: int) -> int:
    """Take `count` numbers, and return the first."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [count])
        return int(cursor.fetchone()[0]) - count + 1


def _write_numbered(revisions: list[Change]) -> int:
    """Take the numbers and write the revisions in one statement; returns the first number."""
    values: list[Any] = [len(revisions)]
    for position, revision in enumerate(revisions):
        text = Change._meta.get_field("manifest").get_db_prep_save(revision.manifest, connection)
        # the first one: before it stand the type and the names of the object alone
        head, mark, tail = text.partition(_MARK)
        assert mark
        values += [position, head, tail]
        values += [column.get_db_prep_save(getattr(revision, column.attname), connection) for column in _columns()]
    with connection.cursor() as cursor:
        cursor.execute(_numbered_insert(len(revisions)), values)
        return int(min(number for (number,) in cursor.fetchall()))


def _columns() -> "list[models.Field[Any, Any]]":
    """The columns whose values are known before the number is."""
    later = ("resource_version", "at", "manifest")
    return [column for column in Change._meta.concrete_fields if column.name not in later]


def _numbered_insert(count: int) -> str:
    names = [connection.ops.quote_name(str(column.column)) for column in _columns()]
    row = ", ".join(["%s", "%s", "%s", *(f"%s::{column.db_type(connection)}" for column in _columns())])
    number = f"(taken.value - {count - 1} + new.position)"
    return (
        # a clock that was read before the counter was locked would run backwards
        f"WITH taken AS ({_TAKE}, clock_timestamp() AS at)"
        f" INSERT INTO kube_change (resource_version, at, manifest, {', '.join(names)})"
        f""" SELECT {number}, taken.at, new.head || '"resourceVersion":"' || {number} || '"' || new.tail,"""
        f" {', '.join(f'new.{name}' for name in names)}"
        f" FROM taken CROSS JOIN (VALUES {', '.join([f'({row})'] * count)})"
        f" AS new (position, head, tail, {', '.join(names)}) RETURNING resource_version"
    )
