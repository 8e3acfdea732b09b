"""The transaction of a service, which passes the rows that it has changed to the journals.

Inside `transaction()`, `save_as` (milo.audit.writes) writes a row with its history row. `mark_changed` enters a row
whose manifest changes although its own columns do not. Before the commit, each journal is called once with all of
them. `milo.kube.store.changes` is a journal: it numbers the revisions in commit order.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import models
from django.db import transaction as database

from milo.access import Actor


@dataclass(slots=True)
class Entry:
    """The change of one row in a transaction: author, Kubernetes event reason, message, and whether it is new."""

    row: models.Model
    actor: Actor
    reason: str
    message: str
    created: bool


Key = tuple[type[models.Model], Any]


@dataclass(slots=True)
class Instants:
    """Instants of a transaction: its own, the newest of each timeline by its head, the last written of each row."""

    at: datetime | None = None
    newest: dict[Key, datetime | None] = field(default_factory=dict)
    written: dict[Key, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class _Transaction:
    entries: dict[Key, Entry] = field(default_factory=dict)
    instants: Instants = field(default_factory=Instants)
    written: models.Model | None = None


Journal = Callable[[list[Entry]], None]
_journals: list[Journal] = []
_current: ContextVar[_Transaction | None] = ContextVar("milo_transaction", default=None)
_dry_run: ContextVar[bool] = ContextVar("milo_dry_run", default=False)


class Anonymous(Exception):
    """A row was written outside `save_as`, so it would have no author."""


def journal(function: Journal) -> Journal:
    """Register a function that is called before the commit with an entry for every changed row."""
    _journals.append(function)
    return function


@contextmanager
def transaction() -> Iterator[None]:
    """Open the transaction of a service. A nested one joins it. Under `dry_run` it is rolled back at the end.

    The journals run last, inside the transaction: they take the lock of the revision counter, which every writer needs,
    so that it is held for the shortest possible time (docs/architecture.md, "Lock order").
    """
    if _current.get() is not None:
        yield
        return
    current = _Transaction()
    with database.atomic(durable=True):
        token = _current.set(current)
        try:
            yield
        finally:
            _current.reset(token)
        _write_journals(current)
        if _dry_run.get():
            database.set_rollback(True)


def is_open() -> bool:
    """Return whether a `transaction` is open."""
    return _current.get() is not None


def settle() -> None:
    """Write the journals now, not at the end of the current transaction; do nothing outside one.

    Call it where the answer is stored in the transaction that it reports, which then changes no other rows.
    """
    if current := _current.get():
        _write_journals(current)


def _write_journals(current: _Transaction) -> None:
    entries = list(current.entries.values())
    current.entries.clear()
    if entries:
        for write_journal in _journals:
            write_journal(entries)


def instants() -> Instants | None:
    """Return the instants of the current transaction; None outside one."""
    current = _current.get()
    return current.instants if current else None


@contextmanager
def dry_run() -> Iterator[None]:
    """Roll back transactions opened inside at their end (Kubernetes `dryRun=All`)."""
    token = _dry_run.set(True)
    try:
        yield
    finally:
        _dry_run.reset(token)


def is_dry_run() -> bool:
    """Return whether transactions are rolled back at their end."""
    return _dry_run.get()


@contextmanager
def writing(row: models.Model) -> Iterator[None]:
    """Mark `row` as written by `save_as` or `delete_as` inside. Raises `Anonymous` outside `transaction()`."""
    current = _current.get()
    if current is None:
        raise Anonymous("rows change inside milo.audit.transaction() only")
    before, current.written = current.written, row
    try:
        yield
    finally:
        current.written = before


def is_written(row: models.Model) -> bool:
    """Return whether `save_as` or `delete_as` is currently writing this object."""
    current = _current.get()
    return current is not None and current.written is row


def note(row: models.Model, entry: Entry) -> None:
    """Add the change of `row` to the current transaction, merged with earlier ones of the row.

    Raises `Anonymous` outside `transaction()`.
    """
    current = _current.get()
    if current is None:
        raise Anonymous("rows change inside milo.audit.transaction() only")
    known = current.entries.setdefault((type(row), row.pk), entry)
    if known is not entry:
        known.row, known.actor = row, entry.actor
        if entry.reason:
            known.reason, known.message = entry.reason, entry.message


def mark_changed(actor: Actor, row: models.Model, *, reason: str = "", why: str = "") -> None:
    """Queue a revision of `row`, whose manifest has changed through another row."""
    note(row, Entry(row, actor, reason, why, created=False))
