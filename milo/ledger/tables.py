"""The registry of sealed tables, and the columns of each that are sealed or personal."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import models

from milo import audit
from milo.columns import Columns
from milo.ledger.models import Redaction

MESSAGE = "history_change_message"
"""The column for the message of a change: free text, and so personal."""


@dataclass(frozen=True, slots=True)
class Table:
    """An append-only table with an increasing integer key.

    `organization` is the ORM path to the name of the organization of a row, or empty. `gone_below` returns the key
    below which rows may have been compacted; None if rows are permanent. `recorded` is the model of which the table is
    the history, and `unrecorded` are its columns without history. `unsealed` are columns that change after the row is
    written. `subject` is the foreign key to the row whose UID owns the salts of the personal values, if that is not the
    row itself; these salts are destroyed together.
    """

    model: type[models.Model]
    organization: str = ""
    gone_below: Callable[[], int] | None = None
    recorded: type[models.Model] | None = None
    unrecorded: tuple[str, ...] = ()
    unsealed: tuple[str, ...] = ()
    subject: str = ""

    @property
    def columns(self) -> "list[models.Field[Any, Any]]":
        """Return the sealed columns."""
        return [column for column in self.model._meta.concrete_fields if column.column not in self.unsealed]

    @property
    def personal(self) -> tuple[str, ...]:
        """Return the columns that are sealed as digests: those declared by the model, and the message of a history."""
        if self.recorded:
            return (*audit.histories()[self.recorded].personal, MESSAGE)
        declared: Columns | None = getattr(self.model, "columns", None)
        return tuple(column for column in declared.personal if column not in self.unsealed) if declared else ()

    @property
    def subject_path(self) -> str:
        """Return the ORM path to the UID that owns the salts; empty if each row has its own salt."""
        if self.subject:
            return f"{self.subject}__uid"
        return "uid" if any(column.name == "uid" for column in self.columns) else ""

    @property
    def name(self) -> str:
        return self.model._meta.db_table

    @property
    def key(self) -> str:
        """Return the column of the key."""
        assert self.model._meta.pk
        return str(self.model._meta.pk.column)

    @property
    def history(self) -> bool:
        return self.recorded is not None

    @property
    def stem(self) -> str:
        """Return a short unique name for guards."""
        return str((self.recorded or self.model)._meta.model_name)


_registered: dict[str, Table] = {}


def register(table: Table) -> None:
    """Register a table that is no history for sealing. Call it when the application is loaded."""
    _registered[table.name] = table
    all_tables.cache_clear()


@cache
def all_tables() -> tuple[Table, ...]:
    """Return every sealed table, ordered by name as in a seal."""
    histories = (
        Table(
            records.model_of(model),
            organization=records.organization,
            recorded=model,
            unrecorded=records.unrecorded,
        )
        for model, records in audit.histories().items()
    )
    return tuple(sorted([Table(Redaction), *_registered.values(), *histories], key=lambda table: table.name))


def table_of(name: str) -> Table:
    """Return the sealed table with this name. Raises `KeyError`."""
    return {table.name: table for table in all_tables()}[name]
