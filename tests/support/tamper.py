"""What the owner of the database can do with the guards switched off."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models

from milo import append_only
from tests.support.database import as_owner


@contextmanager
def guards_off() -> Iterator[None]:
    """No guard refuses anything inside, nor after it: they stand again when the test's transaction is rolled back."""
    with as_owner():
        # triggers that wait for the end of the transaction keep PostgreSQL from changing a table before it
        connection.check_constraints()
        append_only.lift(connection, [guard for guard in append_only.all_guards() if not guard.writes])
        yield


@contextmanager
def upgraded(model: Any, name: str) -> Iterator[None]:
    """A version whose migration has added a column of that name; the database keeps it until the test's end."""
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
    """Write a copy of a row under another key."""
    row.pk = key
    type(row)._base_manager.bulk_create([row])


def swap(one: Any, other: Any) -> None:
    """Each of two rows takes the key of the other."""
    keys = one.pk, other.pk
    remove(one, other)
    insert(one, keys[1])
    insert(other, keys[0])
