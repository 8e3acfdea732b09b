"""Stage the events of an intake in a temporary table, from which one statement each records keys and events."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.db import connection

from billing.models import UsageEvent, UsageIntake, UsageKey
from billing.usage.facts import Fact
from milo import clock

STAGED = "usage_staged"
COLUMNS = "key, content, time, project_id, meter_id, quantity, corrects, source, event_id, type, dimensions"
INTAKE, KEY, EVENT = (model._meta.db_table for model in (UsageIntake, UsageKey, UsageEvent))
_TYPES = {
    "postgresql": "key uuid, content uuid, time timestamptz, project_id bigint, meter_id bigint, quantity numeric,"
    " corrects uuid, source text, event_id text, type text, dimensions jsonb) ON COMMIT DELETE ROWS",
    "sqlite": f"{COLUMNS})",
}
ARRIVING = f"SELECT project_id, meter_id, time, quantity, %s AS arrived_at FROM {STAGED}"
"""The staged events as a source for `sums.counting`; its parameter is the instant of arrival."""
_NULL = r"\N"


class Staged(NamedTuple):
    """A fact whose project and meter are known."""

    fact: Fact
    project_id: int
    meter_id: int


def reserve_intake() -> int:
    """Return the primary key of a new intake, whose row is written once its digest is known. Raises `ClockWrong`.

    On PostgreSQL the table is locked before the key is drawn, as an INSERT does by itself. Sealing waits for whoever
    holds this lock; afterwards a key below the newest without a row is one that nobody will use any more.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"LOCK TABLE {INTAKE} IN ROW EXCLUSIVE MODE")
            cursor.execute(f"SELECT nextval(pg_get_serial_sequence(%s, 'id')), {clock.DATABASE_CLOCK}", [INTAKE])
        else:
            cursor.execute("SELECT COALESCE(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = %s", [INTAKE])
        key, *database_clock = cursor.fetchone()
    if database_clock:
        # an arrival in the future would put off every closing and correction, which come after it
        clock.refuse_difference(*database_clock)
    return int(key)


def stage(rows: Sequence[Staged]) -> None:
    """Replace the contents of the temporary table by the facts; on PostgreSQL by COPY."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {STAGED} ({_TYPES[connection.vendor]}")
        cursor.execute(f"DELETE FROM {STAGED}")
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {STAGED} ({COLUMNS}) FROM STDIN") as copy:
                copy.write("".join(_lines(rows)))
        else:
            marks = ", ".join(["%s"] * len(COLUMNS.split(", ")))
            cursor.executemany(f"INSERT INTO {STAGED} ({COLUMNS}) VALUES ({marks})", list(_tuples(rows)))


def _lines(rows: Sequence[Staged]) -> Iterator[str]:
    """Yield the rows in COPY's text format. Facts hold no control characters, so only the backslash is escaped."""
    for fact, project_id, meter_id in rows:
        texts = f"{fact.source}\t{fact.id}\t{fact.type}\t{fact.dimensions}"
        if "\\" in texts:
            texts = texts.replace("\\", "\\\\")
        corrects = fact.corrects or _NULL
        yield (
            f"{fact.key}\t{fact.content}\t{fact.instant}\t{project_id}\t{meter_id}\t{fact.quantity}\t{corrects}\t{texts}\n"
        )


def _tuples(rows: Sequence[Staged]) -> Iterator[tuple[str | int | None, ...]]:
    for fact, project_id, meter_id in rows:
        # without the offset, as Django stores an instant on SQLite
        time = fact.instant.removesuffix("+00:00")
        head = (fact.key, fact.content, time, project_id, meter_id, fact.quantity, fact.corrects)
        yield (*head, fact.source, fact.id, fact.type, fact.dimensions)


def groundless_corrections() -> set[str]:
    """Return the keys of staged corrections of no recorded or staged event of the same project, meter and time."""
    same = "({0}.project_id, {0}.meter_id, {0}.time) = (s.project_id, s.meter_id, s.time)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT s.key FROM {STAGED} s LEFT JOIN {KEY} k ON k.key = s.corrects"
            f" LEFT JOIN {STAGED} o ON o.key = s.corrects WHERE s.corrects IS NOT NULL"
            f" AND NOT COALESCE({same.format('k')}, {same.format('o')}, FALSE)"
        )
        return {_hexadecimal(row[0]) for row in cursor.fetchall()}


def drop(keys: set[str]) -> None:
    """Remove staged events by key."""
    with connection.cursor() as cursor:
        cursor.executemany(f"DELETE FROM {STAGED} WHERE key = %s", [(key,) for key in keys])


def record_keys(intake: UsageIntake) -> int:
    """Record the keys of the staged events; return how many were new. Sorted, so that two batches cannot deadlock."""
    # on SQLite the guard against INSERT OR REPLACE fires before ON CONFLICT, so known keys are left out beforehand
    new = "TRUE" if connection.vendor == "postgresql" else f"key NOT IN (SELECT key FROM {KEY})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {KEY} (key, content, intake_id, project_id, meter_id, time)"
            f" SELECT key, content, %s, project_id, meter_id, time FROM {STAGED} WHERE {new} ORDER BY key"
            " ON CONFLICT (key) DO NOTHING",
            [intake.pk],
        )
        return int(cursor.rowcount)


def known_before(intake: UsageIntake) -> dict[str, bool]:
    """Return the keys of staged events that another intake has recorded, with whether their content is the same."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT s.key, s.content = k.content FROM {STAGED} s JOIN {KEY} k ON k.key = s.key"
            " WHERE k.intake_id <> %s",
            [intake.pk],
        )
        return {_hexadecimal(key): bool(same) for key, same in cursor.fetchall()}


def record_events(intake: UsageIntake) -> None:
    """Insert the staged events; they are never updated or deleted."""
    columns = "key, time, project_id, meter_id, quantity, corrects, source, event_id, type, dimensions"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {EVENT} (intake_id, {columns}) SELECT %s, {columns} FROM {STAGED}", [intake.pk])


def _hexadecimal(key: object) -> str:
    return str(key).replace("-", "")
