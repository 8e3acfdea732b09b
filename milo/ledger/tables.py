"""The tables that are sealed, and their rows as the chain has them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import models

from milo import audit
from milo.columns import Columns
from milo.ledger.models import Redaction

MESSAGE = "history_change_message"
"""The column of what somebody said of a change: free text, and so personal."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose rows are only ever added, in the order of a key that is a number.

    `organization` is the ORM path to the name of the organization that a row belongs to, or empty. `gone_below`
    returns the key below which rows may have gone, and is None where rows stay for ever. `unsealed` are columns that
    change once the row is written. `subject` is the foreign key to the row whose UID the salts of the personal values
    belong to, where that is not the row itself: they are destroyed together.
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
        """The columns that are sealed."""
        return [column for column in self.model._meta.concrete_fields if column.column not in self.unsealed]

    @property
    def personal(self) -> tuple[str, ...]:
        """The columns of which the chain has a digest alone: those that the model says, and a history's message."""
        if self.recorded:
            return (*audit.histories()[self.recorded].personal, MESSAGE)
        said: Columns | None = getattr(self.model, "columns", None)
        return tuple(column for column in said.personal if column not in self.unsealed) if said else ()

    @property
    def subject_path(self) -> str:
        """The ORM path to the UID that the salts belong to; empty where a row has a salt of its own."""
        if self.subject:
            return f"{self.subject}__uid"
        return "uid" if any(column.name == "uid" for column in self.columns) else ""

    @property
    def name(self) -> str:
        return self.model._meta.db_table

    @property
    def key(self) -> str:
        """The column of the key."""
        assert self.model._meta.pk
        return str(self.model._meta.pk.column)

    @property
    def history(self) -> bool:
        return self.recorded is not None

    @property
    def stem(self) -> str:
        """A short name, unique as models are within the installation."""
        return str((self.recorded or self.model)._meta.model_name)


_registered: dict[str, Table] = {}


def register(table: Table) -> None:
    """Have a table sealed that is no history; call it when the application is loaded."""
    _registered[table.name] = table
    all_tables.cache_clear()


@cache
def all_tables() -> tuple[Table, ...]:
    """Every sealed table, in the order of their names, which is the order of a seal."""
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
    """The sealed table of a name; raises `KeyError`."""
    return {table.name: table for table in all_tables()}[name]
