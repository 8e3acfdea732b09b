"""Exact decimals in the database: `numeric` on PostgreSQL; text on SQLite, whose numbers keep only 15 digits."""

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from billing.usage.quantities import EXACT, plain


class QuantityField(models.Field):  # type: ignore[type-arg]  # has no type arguments when it runs
    """A decimal with any number of digits. Sum it with `ExactSum`."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "text" if connection.vendor == "sqlite" else "numeric"

    def get_internal_type(self) -> str:
        return "QuantityField"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Decimal | None:
        return None if value is None else Decimal(value)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return plain(value) if connection.vendor == "sqlite" and isinstance(value, Decimal) else value


class ExactSum(models.Sum):
    """The sum of a `QuantityField`, exact on both engines."""

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="exact_sum", **extra)


class _Sum:
    def __init__(self) -> None:
        self.total = Decimal(0)

    def step(self, quantity: str | None) -> None:
        if quantity is not None:
            self.total = EXACT.add(self.total, Decimal(quantity))

    def finalize(self) -> str:
        return plain(self.total)


def _add(one: str, other: str) -> str:
    return plain(EXACT.add(Decimal(one), Decimal(other)))


def _negate(quantity: str) -> str:
    return plain(EXACT.minus(Decimal(quantity)))


@receiver(connection_created)
def teach_sqlite(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Define `exact_add`, `exact_negate` and `exact_sum` on a new SQLite connection.

    PostgreSQL computes `numeric` exactly.
    """
    if connection.vendor == "sqlite":
        connection.connection.create_function("exact_add", 2, _add, deterministic=True)
        connection.connection.create_function("exact_negate", 1, _negate, deterministic=True)
        connection.connection.create_aggregate("exact_sum", 1, _Sum)
