"""The transaction of a service, which tells the journals which rows it has changed.

Inside `transaction()`, `save_as` (milo.audit.writes) writes a row with its history row; `mark_changed` names a row
whose manifest changes although its own columns do not. When the transaction ends, and before it commits, the journals
are told of every such row once (`milo.kube.store.changes` is one: it numbers the revisions in commit order).
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
    """What an act did to one row: who, the Kubernetes event reason, the message for people, whether it is new."""

    row: models.Model
    actor: Actor
    reason: str
    message: str
    created: bool


Key = tuple[type[models.Model], Any]


@dataclass(slots=True)
class Instants:
    """The instant of an act; the newest one of each time line by its head; the last one written of each row."""

    at: datetime | None = None
    newest: dict[Key, datetime | None] = field(default_factory=dict)
    written: dict[Key, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class _Act:
    entries: dict[Key, Entry] = field(default_factory=dict)
    instants: Instants = field(default_factory=Instants)
    written: models.Model | None = None


Journal = Callable[[list[Entry]], None]
_journals: list[Journal] = []
_current: ContextVar[_Act | None] = ContextVar("milo_act", default=None)
_dry_run: ContextVar[bool] = ContextVar("milo_dry_run", default=False)


class Anonymous(Exception):
    """A row was written outside `save_as`, so nobody would answer for it."""


def journal(function: Journal) -> Journal:
    """Register `function` to be told, inside the transaction, of every row an act has changed."""
    _journals.append(function)
    return function


@contextmanager
def transaction() -> Iterator[None]:
    """One act, one transaction. An act inside an act joins it. Under `dry_run` all is rolled back at the end."""
    if _current.get() is not None:
        yield
        return
    done = _Act()
    with database.atomic(durable=True):
        token = _current.set(done)
        try:
            yield
        finally:
            _current.reset(token)
        if done.entries:
            for tell in _journals:
                tell(list(done.entries.values()))
        if _dry_run.get():
            database.set_rollback(True)


def instants() -> Instants | None:
    """Return what the present act knows of times; None outside an act."""
    current = _current.get()
    return current.instants if current else None


@contextmanager
def dry_run() -> Iterator[None]:
    """Acts inside do everything, then roll back (Kubernetes `dryRun=All`)."""
    token = _dry_run.set(True)
    try:
        yield
    finally:
        _dry_run.reset(token)


@contextmanager
def writing(row: models.Model) -> Iterator[None]:
    """`save_as` or `delete_as` writes `row` inside. Raises `Anonymous` outside `transaction()`."""
    current = _current.get()
    if current is None:
        raise Anonymous("rows change inside milo.audit.transaction() only")
    before, current.written = current.written, row
    try:
        yield
    finally:
        current.written = before


def is_written(row: models.Model) -> bool:
    """Return whether `save_as` or `delete_as` is writing this very object."""
    current = _current.get()
    return current is not None and current.written is row


def note(row: models.Model, entry: Entry) -> None:
    """Add to the present act what it did to `row`. Raises `Anonymous` outside `transaction()`."""
    current = _current.get()
    if current is None:
        raise Anonymous("rows change inside milo.audit.transaction() only")
    known = current.entries.setdefault((type(row), row.pk), entry)
    if known is not entry:
        known.row, known.actor = row, entry.actor
        if entry.reason:
            known.reason, known.message = entry.reason, entry.message


def mark_changed(actor: Actor, row: models.Model, *, reason: str = "", why: str = "") -> None:
    """Owe `row` a revision: what it shows has changed through another row."""
    note(row, Entry(row, actor, reason, why, created=False))
