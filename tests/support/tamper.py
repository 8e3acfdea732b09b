"""Changes by the owner of the database with the guards switched off."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models

from milo import append_only
from tests.support.database import as_owner


@contextmanager
def guards_off() -> Iterator[None]:
    """Drop the guards until the test's transaction is rolled back."""
    with as_owner():
        # fire deferred triggers now: PostgreSQL refuses to alter a table with pending ones
        connection.check_constraints()
        append_only.lift(connection, [guard for guard in append_only.all_guards() if not guard.writes])
        yield


@contextmanager
def upgraded(model: Any, name: str) -> Iterator[None]:
    """Add a column to a model and its table, like a migration of a later version. The table keeps it until rollback."""
    column: models.Field[Any, Any] = models.CharField(max_length=20, null=True)
    connection.check_constraints()
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {model._meta.db_table} ADD COLUMN {name} varchar(20)")
    model.add_to_class(name, column)
    try:
        yield
    finally:
        model._meta.local_fields.remove(column)
        model._meta._expire_cache()
        delattr(model, name)


def alter(row: models.Model, **columns: Any) -> None:
    type(row)._base_manager.filter(pk=row.pk).update(**columns)


def remove(*rows: models.Model) -> None:
    for row in rows:
        type(row)._base_manager.filter(pk=row.pk)._raw_delete("default")


def insert(row: Any, key: int) -> None:
    """Insert a copy of a row under another primary key."""
    row.pk = key
    type(row)._base_manager.bulk_create([row])


def swap(one: Any, other: Any) -> None:
    """Exchange the primary keys of two rows."""
    keys = one.pk, other.pk
    remove(one, other)
    insert(one, keys[1])
    insert(other, keys[0])
