"""Queries whose SQL is written once: for small ones, that takes Django longer than the database takes to answer."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.db import connection
from django.db.models import QuerySet


class Given(str):
    """Stands in a queryset for a text that each asking gives, under this name."""

    __slots__ = ()


class Prepared:
    """The queryset of `values_list` that `build` returns, made at the first asking; `build` must read no clock.

    Nothing of an answer is kept: every asking is a query.
    """

    def __init__(self, build: Callable[[], QuerySet[Any, Any]]) -> None:
        self._build = build

    @cached_property
    def _compiled(self) -> tuple[Any, str, tuple[Any, ...]]:
        compiler = self._build().query.get_compiler(connection=connection)
        return compiler, *compiler.as_sql()

    def ask(self, **given: str) -> list[Any]:
        """The rows, with each `Given` of the queryset replaced."""
        compiler, sql, parameters = self._compiled
        with connection.cursor() as cursor:
            cursor.execute(sql, [given[value] if isinstance(value, Given) else value for value in parameters])
            return list(compiler.results_iter([cursor.fetchall()]))
