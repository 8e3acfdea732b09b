"""Numbers of revisions: taken by the statement that writes them, which is the last one of an act.

The counter's row stays locked from then to the commit, so that numbers become visible in their order, and every other
act waits for it. So what takes Python time is done before: a manifest is made with a mark where its number will stand.
"""

from functools import cache
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
_SEPARATOR = "\x1e"
"""It is in no manifest: JSON escapes control characters."""
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
    heads, tails = [], []
    for revision in revisions:
        text = Change._meta.get_field("manifest").get_db_prep_save(revision.manifest, connection)
        # the first one: before it stand the type and the names of the object alone
        head, mark, tail = text.partition(_MARK)
        assert mark
        heads.append(head)
        tails.append(tail)
    others = [
        [column.get_db_prep_save(getattr(revision, column.attname), connection) for revision in revisions]
        for column in _columns()
    ]
    count = len(revisions)
    with connection.cursor() as cursor:
        cursor.execute(_numbered_insert(), [count, _SEPARATOR.join(heads), _SEPARATOR.join(tails), *others, count])
        return int(min(number for (number,) in cursor.fetchall()))


def _columns() -> "list[models.Field[Any, Any]]":
    """The columns whose values are known before the number is."""
    later = ("resource_version", "at", "manifest")
    return [column for column in Change._meta.concrete_fields if column.name not in later]


@cache
def _numbered_insert() -> str:
    """Return the statement, one for any number of revisions: thousands of placeholders would take long to parse."""
    names = [connection.ops.quote_name(str(column.column)) for column in _columns()]
    # manifests as one text each: in an array every quote of their JSON would be escaped
    texts = ", ".join([f"string_to_array(%s, '{_SEPARATOR}')"] * 2)
    others = ", ".join(f"%s::{column.db_type(connection)}[]" for column in _columns())
    number = "(taken.before + new.position)"
    return (
        # a clock that was read before the counter was locked would run backwards
        f"WITH taken AS ({_TAKE}, clock_timestamp() AS at),"
        f" new AS (SELECT * FROM unnest({texts}, {others}) WITH ORDINALITY"
        f" AS new (head, tail, {', '.join(names)}, position))"
        f" INSERT INTO kube_change (resource_version, at, manifest, {', '.join(names)})"
        f""" SELECT {number}, taken.at, new.head || '"resourceVersion":"' || {number} || '"' || new.tail,"""
        f" {', '.join(f'new.{name}' for name in names)}"
        " FROM (SELECT value - %s::bigint AS before, at FROM taken) AS taken CROSS JOIN new RETURNING resource_version"
    )
