"""Guards of history rows, seals, salts and redactions."""

from collections.abc import Iterator
from dataclasses import replace

from milo import append_only as guard
from milo import clock
from milo.audit import histories
from milo.ledger.models import Redaction, Salt, Seal
from milo.ledger.tables import MESSAGE, Table, all_tables

SEAL, SALT, REDACTION = "ledger_seal", "ledger_salt", "ledger_redaction"
_REDACTED = f'EXISTS (SELECT 1 FROM {REDACTION} r WHERE r."table" = \'%s\' AND r."row" = OLD.history_id)'


def declare_guards() -> None:
    """Declare the guards of the ledger's own tables, and of every history."""
    guard.deletable(SALT)
    guard.declare(
        "ledger",
        *guard.fixed_as_said(Seal, revoked=True),
        guard.no_delete("seal_never_deleted", SEAL),
        # compaction relies on the newest seal and its instant
        guard.refuse(
            "seal_follows",
            SEAL,
            "INSERT",
            f"EXISTS (SELECT 1 FROM {SEAL} s WHERE s.number <> NEW.number) AND NOT EXISTS (SELECT 1 FROM {SEAL} was"
            " WHERE was.number = NEW.number - 1 AND was.digest = NEW.previous AND was.at <= NEW.at)",
            "is not chained to the newest seal",
        ),
        guard.no_replace("seal_never_replaced", SEAL, ["number"], ["digest"]),
        *guard.fixed_as_said(Salt, revoked=True),
        # a value that still exists cannot be verified without its salt
        *guard.delete_only(
            "salt_deleted_in_redaction",
            SALT,
            f"EXISTS (SELECT 1 FROM {REDACTION} r WHERE r.subject = OLD.subject)",
            "a salt goes with the personal values of its subject only",
        ),
        guard.no_replace("salt_never_replaced", SALT, ["subject"]),
        *guard.fixed_as_said(Redaction, revoked=True),
        guard.no_delete("redaction_never_deleted", REDACTION),
        guard.no_replace("redaction_never_replaced", REDACTION, ["id"], ['"table"', '"row"']),
        *(made for table in all_tables() if table.history for made in _of_history(table)),
    )


def _of_history(table: Table) -> Iterator[guard.Guard]:
    stem, personal = f"history_of_{table.stem}", sorted(table.personal)
    columns = [str(column.column) for column in table.model._meta.concrete_fields]
    changed = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in columns if column not in personal)
    # a redaction leaves a marker of a personal value, and nothing of a message
    left = dict.fromkeys(personal, guard.NOTHING) | {MESSAGE: "''"}
    kept = [
        f"NEW.{column} IS DISTINCT FROM OLD.{column} AND CAST(NEW.{column} AS TEXT) NOT IN ({left[column]})"
        for column in personal
    ]
    gone = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in personal)
    unredacted = f"({gone}) AND NOT {_REDACTED % table.name}"
    when = " OR ".join(f"({part})" for part in (changed, *kept, unredacted))
    yield guard.refuse(f"{stem}_fixed", table.name, "UPDATE", when, "history cannot be changed")
    yield guard.no_delete(f"{stem}_never_deleted", table.name)
    yield guard.no_replace(f"{stem}_never_replaced", table.name, ["history_id"])
    yield from _of_recording(stem, table)


def _stands_at(instant: str) -> str:
    """Return the condition that history of any kind stands within the second before `instant`.

    Timelines only go forward. Where a wrong clock has put one into the future already, its next instant, which the rows
    of one transaction share, is the microsecond after.
    """
    return " OR ".join(
        f"EXISTS (SELECT 1 FROM {table.name} h WHERE h.history_date <= {instant}"
        f" AND h.history_date >= {instant} - interval '1 second')"
        for table in all_tables()
        if table.history
    )


def _of_recording(stem: str, table: Table) -> Iterator[guard.Guard]:
    """Yield the guards of inserts. On PostgreSQL only a function may insert, which copies the live row."""
    assert table.recorded
    assert table.recorded._meta.pk
    key, records = str(table.recorded._meta.pk.column), histories()[table.recorded]
    # a clock that was set back would date a change before an earlier one; readers do not support infinity
    forward = guard.refuse(
        f"{stem}_goes_forward",
        table.name,
        "INSERT",
        f"NEW.history_date >= '3000-01-01' OR EXISTS (SELECT 1 FROM {table.name} was"
        f" WHERE was.{key} = NEW.{key} AND was.history_date >= NEW.history_date)",
        "is not later than the history before it",
    )
    yield replace(forward, forbids=frozenset({"INSERT"}))
    # a process whose clock is ahead, or a program that forges the future
    yield guard.refuse_unless(
        f"{stem}{clock.GUARD}",
        table.name,
        "INSERT",
        clock.is_ahead("NEW.history_date"),
        _stands_at("NEW.history_date"),
        "is ahead of the clock of the database",
    )
    # the previous version, which may serve beside this one during an upgrade, writes reason and message as one text
    yield guard.amend(
        f"{stem}_split",
        table.name,
        "NEW.history_change_message = '' AND strpos(NEW.history_change_reason, ': ') > 0",
        "NEW.history_change_message := substr(NEW.history_change_reason, strpos(NEW.history_change_reason, ': ') + 2);"
        " NEW.history_change_reason := split_part(NEW.history_change_reason, ': ', 1);",
    )
    types = records.types()
    arguments = [f"${number}" for number in range(1, len(types) + 1)]
    yield guard.writer(records.function, table.name, types, records.copying(arguments, "public."))
