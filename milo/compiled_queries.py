"""Querysets compiled to SQL once per process. For small queries Django's compiler costs more than the database."""

from collections.abc import Callable, Sequence
from copy import copy
from datetime import date, datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection, models
from django.db.models import Expression, QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import TransactionManagementError

T = TypeVar("T")
_AT_ONCE = 200


class Param(Expression):
    """A placeholder in a queryset. Each `fetch` passes its value as the keyword argument `name`.

    The value is sent to the database unconverted, so it has the type of the column: number, text, instant or day.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> Any:
        return "%s", [self]


class Literal(Value):
    """A text of this program that is part of the statement, not one of its parameters.

    PostgreSQL plans a statement that is prepared for any parameters. It then reads the whole table where a partial
    index has the few rows of one phase, since the phase could be another one.
    """

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> Any:
        text = str(self.value)
        assert text.isalnum()
        return f"'{text}'", []


class CompiledQuery(Generic[T]):
    """A queryset that `build` returns, compiled once at the first `fetch`. `build` must not read the clock.

    Rows are not cached: every `fetch` is a query. Django runs prefetches uncompiled. The internals of Django that this
    relies on are in docs/architecture.md, "What we rely on inside Django".
    """

    def __init__(self, build: Callable[[], "QuerySet[Any, T]"]) -> None:
        self._build = build

    @cached_property
    def _compiled(self) -> "tuple[QuerySet[Any, T], Any, str, tuple[Any, ...]]":
        queryset = self._build()
        compiler = queryset.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        converters = compiler.get_converters([column for column, _sql, _alias in compiler.select])
        compiler.get_converters = lambda columns: converters
        return queryset, compiler, sql, tuple(parameters)

    def fetch(self, **values: Any) -> list[T]:
        """Return the rows for these values of the `Param`s, by name.

        Raises `TransactionManagementError` if the queryset locks rows and no transaction is open.
        """
        queryset, compiled, sql, parameters = self._compiled
        if queryset.query.select_for_update and connection.get_autocommit():
            raise TransactionManagementError("rows are locked inside a transaction only")
        bound = [_adapted(values[value.name]) if isinstance(value, Param) else value for value in parameters]
        with connection.cursor() as cursor:
            cursor.execute(sql, bound)
            chunks = [cursor.fetchall()]
        # Django builds objects from the chunks that execute_sql returns; threads share `compiled`, so each takes a copy
        compiler, rows = copy(compiled), queryset.all()
        compiler.connection, compiler.execute_sql = connection, lambda *args, **kwargs: chunks
        rows.query.get_compiler = lambda *args, **kwargs: compiler  # type: ignore[method-assign]
        return list(rows)

    def first(self, **values: Any) -> T | None:
        """Return the first row, or None. The queryset must have at most one row, or an order."""
        return next(iter(self.fetch(**values)), None)


class Insert:
    """Inserts rows of a model without signals. Primary keys from the database are not set on the objects."""

    def __init__(self, model: type[models.Model]) -> None:
        self._model = model

    def __call__(self, rows: Sequence[models.Model]) -> None:
        columns = self._columns
        with connection.cursor() as cursor:
            # the number of parameters of a statement is limited
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


class Update:
    """Updates named columns of rows of a model by their primary keys, without signals.

    It is one round trip, whatever the number of rows. `bulk_update` makes a CASE of all rows for each column, which
    grows by the square.
    """

    def __init__(self, model: type[models.Model], *columns: str) -> None:
        self._model, self._names = model, columns

    def __call__(self, rows: Sequence[models.Model]) -> None:
        if not rows:
            return
        columns = [*self._columns, self._model._meta.pk]
        values = [[of.get_db_prep_save(getattr(row, of.attname), connection) for of in columns] for row in rows]
        with connection.cursor() as cursor:
            cursor.executemany(self._statement, values)

    @cached_property
    def _columns(self) -> "list[models.Field[Any, Any]]":
        return [field for name in self._names if isinstance(field := self._model._meta.get_field(name), models.Field)]

    @cached_property
    def _statement(self) -> str:
        table, key, *columns = map(
            connection.ops.quote_name,
            (self._model._meta.db_table, str(self._model._meta.pk.column), *(str(of.column) for of in self._columns)),
        )
        return f"UPDATE {table} SET {', '.join(f'{column} = %s' for column in columns)} WHERE {key} = %s"
