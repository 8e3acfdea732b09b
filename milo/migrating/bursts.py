"""DDL of a migration in one burst, so that its locks are held for as long as the statements take, and no longer.

Django takes the lock of a table with the first statement, computes the next one, and so on. Whoever has one table of
the migration and wants another meets a deadlock then, and everybody else waits for Python. Here statements are kept
until all are there, and are then sent in one go, which gives way before PostgreSQL looks for a deadlock.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.schema import DatabaseSchemaEditor

from milo.migrating import locks

_LEAST = timedelta(milliseconds=10)


@contextmanager
def in_bursts(connection: BaseDatabaseWrapper, say: Callable[[str], object]) -> Iterator[None]:
    """Have migrations in the block send their DDL in bursts (PostgreSQL). Calls `say` before each further attempt."""
    if connection.vendor != "postgresql":
        yield
        return
    wrapper: Any = connection
    before = wrapper.SchemaEditorClass
    wrapper.SchemaEditorClass = type("BurstEditor", (_BurstEditor,), {"say": staticmethod(say)})
    try:
        yield
    finally:
        wrapper.SchemaEditorClass = before


class _BurstEditor(DatabaseSchemaEditor):
    """A schema editor that keeps statements until its end, or until anything else is asked of the database."""

    say: Callable[[str], object]

    def __enter__(self) -> Any:
        self.kept: list[str] = []
        self.holds_locks = False
        self.watching = self.connection.execute_wrapper(self._before_others)
        self.watching.__enter__()
        return super().__enter__()

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        try:
            if exc_type is None:
                for sql in self.deferred_sql:
                    self.execute(sql, None)
                self.deferred_sql = []
                self._send()
        except BaseException as failed:
            exc_type, exc_value, traceback = type(failed), failed, failed.__traceback__
            raise
        finally:
            self.watching.__exit__(None, None, None)
            super().__exit__(exc_type, exc_value, traceback)

    def execute(self, sql: Any, params: Any = ()) -> None:
        """Keep a statement; of a migration that is no transaction send it, again while it is refused its locks."""
        text = str(sql) if params is None else self.connection.ops.compose_sql(str(sql), params)
        if self.atomic_migration:
            self.kept.append(text)
        elif self.connection.in_atomic_block:
            self._run(text)
        else:
            self._patiently(lambda: self._run(text))

    def _before_others(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Send what is kept before any other statement, which may be about it."""
        self._send()
        return execute(sql, params, many, context)

    def _send(self) -> None:
        statements, self.kept = self.kept, []
        if not statements:
            return
        if self.holds_locks:
            # those of the burst before would be kept through a pause, so the migration begins anew
            self._burst(statements)
        else:
            self._patiently(lambda: self._burst(statements))
        self.holds_locks = True

    def _patiently(self, operation: Callable[[], None]) -> None:
        locks.patiently(self.connection, operation, what="the migration", say=self.say)

    def _burst(self, statements: list[str]) -> None:
        """Run the statements; all their locks together are waited for as long as one may be."""
        begun = time.monotonic()
        with transaction.atomic(self.connection.alias):
            for statement in statements:
                left = max(locks.LOCK_TIMEOUT - timedelta(seconds=time.monotonic() - begun), _LEAST)
                self._run(f"SET LOCAL lock_timeout = {left // timedelta(milliseconds=1)}")
                self._run(statement)
            self._run(f"SET LOCAL lock_timeout = {locks.LOCK_TIMEOUT // timedelta(milliseconds=1)}")

    def _run(self, statement: str) -> None:
        super().execute(statement, None)
