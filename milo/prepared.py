"""Queries whose SQL is written once: for small ones, that takes Django longer than the database takes to answer."""

from collections.abc import Callable, Sequence
from copy import copy
from datetime import date, datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection, models
from django.db.models import Expression, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import TransactionManagementError

T = TypeVar("T")
_AT_ONCE = 200


class Given(Expression):
    """Stands in a queryset for a value that each asking gives, under this name.

    The value goes to the database as it is: a number, a text or an instant, as the column has it.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> Any:
        return "%s", [self]


class Prepared(Generic[T]):
    """The queryset that `build` returns, made at the first asking; `build` must read no clock.

    Nothing of an answer is kept: every asking is a query. What the queryset prefetches is asked for in Django's way.
    """

    def __init__(self, build: Callable[[], "QuerySet[Any, T]"]) -> None:
        self._build = build

    @cached_property
    def _written(self) -> "tuple[QuerySet[Any, T], Any, str, tuple[Any, ...]]":
        queryset = self._build()
        compiler = queryset.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column for column, _sql, _alias in compiler.select])
        compiler.get_converters = lambda columns: converters
        return queryset, compiler, sql, tuple(parameters)

    def ask(self, **given: Any) -> list[T]:
        """The rows, with each `Given` of the queryset replaced. What locks rows raises outside of a transaction."""
        queryset, written, sql, parameters = self._written
        if queryset.query.select_for_update and connection.get_autocommit():
            raise TransactionManagementError("rows are locked inside a transaction only")
        values = [_adapted(given[value.name]) if isinstance(value, Given) else value for value in parameters]
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            found = [cursor.fetchall()]
        # Django makes objects of what a compiler has executed; this one had it from here
        compiler, asked = copy(written), queryset.all()
        compiler.connection, compiler.execute_sql = connection, lambda *args, **kwargs: found
        asked.query.get_compiler = lambda *args, **kwargs: compiler  # type: ignore[method-assign]
        return list(asked)

    def first(self, **given: Any) -> T | None:
        """The first of the rows, if any; a queryset for which that matters has one row or an order."""
        return next(iter(self.ask(**given)), None)


class Insert:
    """Adds rows of a model as they are: neither signals nor the keys that the database gives come back."""

    def __init__(self, model: type[models.Model]) -> None:
        self._model = model

    def __call__(self, rows: Sequence[models.Model]) -> None:
        columns = self._columns
        with connection.cursor() as cursor:
            # a statement has room for so many values only
            for start in range(0, len(rows), _AT_ONCE):
                part = rows[start : start + _AT_ONCE]
                values = [
                    column.get_db_prep_save(getattr(row, column.attname), connection)
                    for row in part
                    for column in columns
                ]
                cursor.execute(self._into + ", ".join([self._row] * len(part)), values)

    @cached_property
    def _columns(self) -> "list[models.Field[Any, Any]]":
        return [column for column in self._model._meta.concrete_fields if not isinstance(column, models.AutoField)]

    @cached_property
    def _into(self) -> str:
        quoted = map(connection.ops.quote_name, (self._model._meta.db_table, *(str(of.column) for of in self._columns)))
        table, *columns = quoted
        return f"INSERT INTO {table} ({', '.join(columns)}) VALUES "

    @cached_property
    def _row(self) -> str:
        return f"({', '.join(['%s'] * len(self._columns))})"


def _adapted(value: Any) -> Any:
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return connection.ops.adapt_datefield_value(value) if isinstance(value, date) else value
