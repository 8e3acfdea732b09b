"""Remove personal values from history. The chain keeps their digests, which no longer allow guessing."""

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from django.utils import timezone

from milo import clock
from milo.access import Actor
from milo.ledger.models import Redaction, Salt
from milo.ledger.rows import PURGED, Reader, Row, salts
from milo.ledger.tables import MESSAGE, Table, all_tables

AT_ONCE = 500


def pseudonym(value: Any) -> Any:
    """Return the replacement of a personal value, which reveals only whether it was empty.

    It is the same for all values, because a digest of an address could be guessed.
    """
    return PURGED if isinstance(value, str) and value else type(value)() if value else value


def redact(subjects: Collection[UUID], *, actor: Actor, why: str) -> int:
    """Remove the personal values of the objects with these UIDs from history. Return how many rows had any.

    Call it in the transaction that purges the live rows. Revisions in the change log stay until they are compacted. The
    salts of the objects are destroyed; later rows about them get new ones. Raises `ClockWrong`.
    """
    clock.refuse_wrong()
    redacted = 0
    for table in all_tables():
        if not table.personal or not table.subject_path:
            continue
        for rows in _rows(table, subjects):
            Redaction.objects.bulk_create(_redaction(table, row, actor, why) for row in rows)
            if table.history:
                for row in rows:
                    _purge(table, row)
            redacted += len(rows)
    Salt.objects.filter(subject__in=[str(subject) for subject in subjects]).delete()
    return redacted


def _rows(table: Table, subjects: Collection[UUID]) -> Iterator[list[Row]]:
    rows = table.model._base_manager.filter(**{f"{table.subject_path}__in": subjects}).order_by("pk")
    keys = list(rows.values_list("pk", flat=True))
    for start in range(0, len(keys), AT_ONCE):
        batch = keys[start : start + AT_ONCE]
        where = f"{table.key} IN ({', '.join(['%s'] * len(batch))})"
        sealed = Reader(table, salts)(batch[0] - 1, batch[-1], where, *batch)
        yield [row for row in sealed if row.personal]


def _redaction(table: Table, row: Row, actor: Actor, why: str) -> Redaction:
    digests = {name: row.columns[name]["sha256"] for name in row.personal}
    return Redaction(
        table=table.name,
        row=row.key,
        subject=row.subject,
        digests=digests,
        at=timezone.now(),
        actor=actor.name,
        why=why,
    )


def _purge(table: Table, row: Row) -> None:
    # a message becomes empty, so that the row reads like one without message; its reason stays
    columns = {name: "" if name == MESSAGE else pseudonym(value) for name, (_salt, value) in row.personal.items()}
    table.model._base_manager.filter(pk=row.key).update(**columns)
