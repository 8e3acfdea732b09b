"""Watch the order in which transactions lock rows, so that a test of one act alone shows which two could deadlock.

PostgreSQL only: SQLite has one writer. The order is that of docs/architecture.md, "Lock order".
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models import Model

from milo.audit import transactions

ORGANIZATION, HIERARCHY, PROJECT, ACCOUNT, PLAN, USAGE = range(6)
_RANKS = {
    "projects_organization": ORGANIZATION,
    "projects_project": PROJECT,
    "billing_billingaccount": ACCOUNT,
    "billing_payerchange": PLAN,
    "billing_billingaccountaffiliation": PLAN,
}
_ROWS = re.compile(r' FOR NO KEY UPDATE OF "(\w+)"( SKIP LOCKED)?$')
_SHARED = " FOR SHARE"
# of a key among its columns, it keeps out at their commit those who write rows that refer to this one
_KEYED = re.compile(r'UPDATE "(\w+)" SET .*"(uid|name)" = ')
_HIERARCHY, _USAGE = "SELECT pg_advisory_xact_lock(%s, %s)", "pg_advisory_xact_lock"
Lock = tuple[int, int]
"""The rank of a table, and a primary key."""


class LockOrder:
    """The locks of every transaction, in their order; `faults` says which were had too late."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._of_thread = threading.local()

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        current = transactions._current.get()
        if current is None or many or not isinstance(sql, str):
            return result
        if getattr(self._of_thread, "transaction", None) is not current:
            self._of_thread.transaction, self._of_thread.held = current, {}
        self._note(sql, params)
        return result

    def _note(self, sql: str, params: Sequence[Any]) -> None:
        if match := _ROWS.search(sql):
            if (rank := _RANKS.get(match[1])) is not None:
                self._take([(rank, key) for key in _keys(sql[: match.start()], params)], waits=not match[2])
        elif sql.endswith(_SHARED):
            self._take([(ACCOUNT, int(params[0]))])
        elif sql == _HIERARCHY:
            self._take([(HIERARCHY, 0)])
        elif _USAGE in sql and "unnest" in sql:
            self._take([(USAGE, bucket) for bucket in params[1]])
        elif (match := _KEYED.match(sql)) and match[1] in _referred():
            self.faults.append(f"an UPDATE of {match[1]} names its key {match[2]}")

    def _take(self, locks: Sequence[Lock], *, waits: bool = True) -> None:
        held: dict[Lock, None] = self._of_thread.held
        for lock in locks:
            if lock in held:
                continue
            if late := waits and [each for each in held if each > lock and not _are_free(each, lock)]:
                self.faults.append(f"{_named(lock)} after {', '.join(map(_named, sorted(late)))}")
            held[lock] = None


@cache
def _referred() -> set[str]:
    """The tables whose rows a foreign key can refer to."""
    return {field.related_model._meta.db_table for model in apps.get_models() for field in _foreign_keys(model)}


def _foreign_keys(model: type[Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if field.many_to_one or field.one_to_one]


def _are_free(held: Lock, wanted: Lock) -> bool:
    """Whether the order of two locks says nothing: organizations and hierarchies are not locked beside one another."""
    return held[0] == wanted[0] and held[0] < PROJECT


def _named(lock: Lock) -> str:
    names = ("organization", "hierarchy", "project", "account", "plan", "usage")
    return f"{names[lock[0]]} {lock[1]}"


def _keys(sql: str, params: Sequence[Any]) -> list[int]:
    """Return the first column of a query, the primary key, on the same connection and without its locks."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [row[0] for row in cursor.fetchall()]


@contextmanager
def watched() -> Iterator[LockOrder]:
    """Watch the connections of all threads, and none of them after the block."""
    order = LockOrder()
    watched: list[list[Any]] = []

    def watch(sender: Any, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        # one that is opened again is watched already
        if order not in connection.execute_wrappers:
            connection.execute_wrappers.append(order)
            watched.append(connection.execute_wrappers)

    connection_created.connect(watch)
    watch(None, connection)
    try:
        yield order
    finally:
        connection_created.disconnect(watch)
        for wrappers in watched:
            wrappers.remove(order)
