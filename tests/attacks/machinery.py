"""Writes past the services."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, models
from django.db.models import F

from tests.support import make

SQLITE = "sqlite"


def update(row: models.Model, **columns: Any) -> int:
    return type(row)._base_manager.filter(pk=row.pk).update(**columns)


def insert(row: models.Model, **columns: Any) -> Any:
    """Write a copy of `row` beside it, with keys of its own but for what `columns` says."""
    model = type(row)
    values = model._base_manager.filter(pk=row.pk).values().get() | {"uid": uuid.uuid4(), "name": make.a_name("copy")}
    values = {name: value for name, value in values.items() if name != "id" and hasattr(row, name)}
    return model._base_manager.bulk_create([model(**values | columns)])[0]


def replace(row: models.Model, *kept: str) -> None:
    """INSERT OR REPLACE a copy of `row` that shares only the columns `kept`; PostgreSQL knows plain INSERT alone."""
    table = row._meta.db_table
    fresh: dict[str, Any] = {"id": 1_000_000, "uid": uuid.uuid4(), "supersedes_id": None} | {
        column: make.a_name("copy") for column in ("name", "external_id", "act", "issuer", "subject")
    }
    columns = list(row._meta.concrete_fields)
    changed = [column for column in columns if column.attname in fresh and column.attname not in kept]
    selected = ", ".join("%s" if column in changed else str(column.column) for column in columns)
    names = ", ".join(str(column.column) for column in columns)
    verb = "INSERT OR REPLACE" if connection.vendor == SQLITE else "INSERT"
    with connection.cursor() as cursor:
        cursor.execute(
            f"{verb} INTO {table} ({names}) SELECT {selected} FROM {table} WHERE id = %s",
            [*(column.get_db_prep_save(fresh[column.attname], connection) for column in changed), row.pk],
        )


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def delete(row: models.Model) -> None:
    execute(f"DELETE FROM {row._meta.db_table} WHERE id = {row.pk}")


def empty(row: models.Model) -> None:
    table = row._meta.db_table
    execute(f"DELETE FROM {table}" if connection.vendor == SQLITE else f"TRUNCATE {table} CASCADE")


@dataclass(frozen=True)
class Attack:
    """A write past the services.

    `lifting` names the guards that would refuse it earlier, `says` what an engine answers where it does not
    name what is attacked. `only` names the engine that has the guard, where the other has none.
    """

    on: Callable[[Any], object]
    lifting: tuple[str, ...] = ()
    says: dict[str, str] = field(default_factory=dict)
    only: str = ""


MOMENT = timedelta(seconds=10)
"""Less than the difference of clocks that is tolerated."""
LATER, EARLIER = F("established_at") + MOMENT, F("established_at") - timedelta(hours=1)
A_KEY = {"postgresql": "duplicate key"}
HOUR = timedelta(hours=1)


def unique(*columns: str) -> dict[str, str]:
    return {SQLITE: f"UNIQUE constraint failed: {', '.join(columns)}"}


def changes(row: str, **columns: Any) -> list[Attack]:
    """An attack on each of `columns` of the row that the world calls `row`; a function is asked for its value."""

    def attack(column: str, value: Any) -> Attack:
        return Attack(lambda w: update(getattr(w, row), **{column: value(w) if callable(value) else value}))

    return [attack(column, value) for column, value in columns.items()]


def replacements(row: str, *keys: tuple[str, ...], lifting: tuple[str, ...] = ()) -> list[Attack]:
    """An attack by each of the unique `keys` of the row that the world calls `row`."""

    def attack(key: tuple[str, ...]) -> Attack:
        return Attack(lambda w: replace(getattr(w, row), *key), lifting, A_KEY)

    return [attack(key) for key in keys]


def deletions(row: str, *lifting: str) -> list[Attack]:
    """The row that the world calls `row` is deleted, and its table emptied past the guards of what refers to it."""
    return [Attack(lambda w: delete(getattr(w, row))), Attack(lambda w: empty(getattr(w, row)), lifting)]
