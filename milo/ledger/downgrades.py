"""Migrations that go back: refused where sealed rows would lose what their seals prove, and where a table has rows."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from milo.ledger.models import Redaction, Salt, Seal
from milo.ledger.tables import all_tables

_SHOWN = 5
_INSTEAD = (
    "The version before serves on the tables as they are now: go back by running its code, without migrate. Or restore"
    " the backup of before the upgrade (docs/operating.md, Upgrades)"
)
Schema = dict[str, dict[str, str | None]]
"""The columns of each table, with their types."""


def refuse_loss_of_proof(using: str, plan: Sequence[tuple[Any, bool]], **kwargs: Any) -> None:
    """Receiver of `pre_migrate`: raise `CommandError` before anything has changed if rows that are proven would suffer.

    Columns and tables that go come back empty at the next upgrade, and a column of another type comes back with other
    values: `ledger verify` would call the rows altered. A table with rows that goes is one that a process which serves
    would miss.
    """
    back = [migration for migration, backwards in plan if backwards]
    if not back:
        return
    connection = connections[using]
    now, then = _schemas(connection, back)
    if lost := [f"{table}.{column}" if column else table for table, column in _lost(connection, now, then)]:
        why = f"without {_listed(lost)}, sealed rows would look altered for ever"
        raise CommandError(f"{back[-1]} is not undone: {why}. {_INSTEAD}")
    if gone := [table for table in sorted(now.keys() - then.keys()) if _has_rows(connection, table)]:
        have, they = ("has", "it") if len(gone) == 1 else ("have", "them")
        why = f"{_listed(gone)} {have} rows, and what serves fails without {they}"
        raise CommandError(f"{back[-1]} is not undone: {why}. {_INSTEAD}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _schemas(connection: BaseDatabaseWrapper, back: Sequence[Any]) -> tuple[Schema, Schema]:
    """Return the tables before and after the migrations `back` are undone."""
    loader = MigrationLoader(connection)
    known = set(loader.applied_migrations)
    after = known - {(migration.app_label, migration.name) for migration in back}
    return _columns(connection, loader, known), _columns(connection, loader, after)


def _lost(connection: BaseDatabaseWrapper, now: Schema, then: Schema) -> Iterator[tuple[str, str]]:
    """Yield (table, column) of what rows of the ledger would lose; an empty column stands for the whole table."""
    for table, unsealed in sorted(_proven().items()):
        columns = {name: of for name, of in now.get(table, {}).items() if name not in unsealed}
        gone = [""] if table not in then else [name for name, of in columns.items() if then[table].get(name) != of]
        if columns and gone and _has_rows(connection, table):
            yield from ((table, column) for column in gone)


def _proven() -> dict[str, tuple[str, ...]]:
    """Return the tables of which a proof is made, each with the columns that are no part of it."""
    own: dict[str, tuple[str, ...]] = {model._meta.db_table: () for model in (Seal, Salt, Redaction)}
    return own | {table.name: table.unsealed for table in all_tables()}


def _columns(connection: BaseDatabaseWrapper, loader: MigrationLoader, nodes: set[tuple[str, str]]) -> Schema:
    """Return the columns of each table, with their types, after the migrations `nodes`."""
    state = loader.project_state([node for node in sorted(nodes) if node in loader.graph.nodes])
    return {
        model._meta.db_table: {str(field.column): field.db_type(connection) for field in model._meta.concrete_fields}
        for model in state.apps.get_models(include_auto_created=True)
    }


def _has_rows(connection: BaseDatabaseWrapper, table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})")
        (answer,) = cursor.fetchone()
    return bool(answer)
