"""Exact decimals in the database: `numeric` on PostgreSQL, text on SQLite, whose numbers have only 15 digits."""

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from django.db import DataError, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

COLLATION = "milo_decimal"


class ExactDecimalField(models.DecimalField):  # type: ignore[type-arg]  # has no type arguments at run time
    """A `DecimalField` that keeps every one of its `max_digits` on both engines.

    On SQLite the column is text with a collation that compares by value, so filters, constraints, order, `Min` and
    `Max` have the same results as on PostgreSQL. Use `ExactSum` for sums. Other SQL arithmetic on it is inexact on
    SQLite.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        if connection.vendor == "sqlite":
            return "text"
        return str(connection.data_types["DecimalField"] % self.db_type_parameters(connection))

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters: dict[str, Any] = dict(super().db_parameters(connection))
        return parameters | ({"collation": COLLATION} if connection.vendor == "sqlite" else {})

    def cast_db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return self.db_type(connection)

    def get_internal_type(self) -> str:
        # a DecimalField is cast to the inexact numbers of SQLite
        return "ExactDecimalField"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Decimal | None:
        return None if value is None else Decimal(value)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        value = super().get_db_prep_value(value, connection, prepared)
        return f"{value:f}" if connection.vendor == "sqlite" and isinstance(value, Decimal) else value

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        """Round half up to the decimal places, like PostgreSQL's `numeric`. Raises `DataError` for too many digits."""
        if connection.vendor == "sqlite" and not hasattr(value, "as_sql") and value is not None:
            return self._text(self.to_python(value))
        return super().get_db_prep_save(value, connection)

    def _text(self, value: Decimal) -> str:
        context = Context(prec=self.max_digits, rounding=ROUND_HALF_UP)
        try:
            return f"{value.quantize(Decimal(1).scaleb(-self.decimal_places), context=context):f}"
        except InvalidOperation as error:
            raise DataError(f"{self.name} has more than {self.max_digits} digits") from error


def compare(one: str, other: str) -> int:
    """Compare two decimals as texts: -1, 0 or 1. Other texts are compared as texts."""
    try:
        left, right = Decimal(one), Decimal(other)
    except InvalidOperation:
        return (one > other) - (one < other)
    return (left > right) - (left < right)


@receiver(connection_created)
def teach_sqlite(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Register the collation of decimals with SQLite."""
    if connection.vendor == "sqlite":
        connection.connection.create_collation(COLLATION, compare)
