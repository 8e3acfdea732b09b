"""The one door through which rows are written: the row, its history and its revision, in one act.

`act()` is the transaction of a service. Inside it, `save_as` writes a row with its
history row; `touch` names a row whose manifest changes although its own columns do not.
When the act ends, and before it commits, the journals are told of every such row once
(`milo.kube.changes` is one: it numbers the revisions in commit order).
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from milo import card_numbers, provenance, texts
from milo.access import Actor
from milo.errors import AlreadyExists, Cause, Invalid


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


ANNOTATIONS, LAST_APPLIED = "metadata.annotations", "kubectl.kubernetes.io/last-applied-configuration"
Journal = Callable[[list[Entry]], None]
M = TypeVar("M", bound=models.Model)
_journals: list[Journal] = []
_preparations: list[Callable[[models.Model], None]] = []
_current: ContextVar[_Act | None] = ContextVar("milo_act", default=None)
_dry_run: ContextVar[bool] = ContextVar("milo_dry_run", default=False)


class Anonymous(Exception):
    """A row was written outside `save_as`, so nobody would answer for it."""


def journal(function: Journal) -> Journal:
    """Register `function` to be told, inside the transaction, of every row an act has changed."""
    _journals.append(function)
    return function


def before_save(function: Callable[[models.Model], None]) -> Callable[[models.Model], None]:
    """Register `function` to be given every row that `save_as` is about to write; it may set columns of the row."""
    _preparations.append(function)
    return function


@contextmanager
def act() -> Iterator[None]:
    """One act, one transaction. An act inside an act joins it. Under `dry_run` all is rolled back at the end."""
    if _current.get() is not None:
        yield
        return
    done = _Act()
    with transaction.atomic(durable=True):
        token = _current.set(done)
        try:
            yield
        finally:
            _current.reset(token)
        if done.entries:
            for tell in _journals:
                tell(list(done.entries.values()))
        if _dry_run.get():
            transaction.set_rollback(True)


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


def _note(row: models.Model, entry: Entry) -> None:
    current = _current.get()
    if current is None:
        raise Anonymous("rows change inside milo.audit.act() only")
    known = current.entries.setdefault((type(row), row.pk), entry)
    if known is not entry:
        known.row, known.actor = row, entry.actor
        if entry.reason:
            known.reason, known.message = entry.reason, entry.message


def save_as(actor: Actor, row: M, *, reason: str, why: str = "", generated: bool = False) -> M:
    """Write `row` and its history row, in the name of `actor`.

    `reason` is one CamelCase word (`BillingAccountOpened`, also the reason of the Kubernetes
    event), `why` a sentence for people. Raises `Invalid` where any text of the row or `why`
    holds a card number or cannot be stored, `AlreadyExists` where another act takes the
    name at the same moment, and `Anonymous` outside `act()` or without actor or reason. A `why` that is `generated` of
    numbers, such as an amount, is not searched: one in ten of 16 digits would pass for a card number.
    """
    created = row._state.adding
    with _answered_for(actor, row, reason, why):
        for prepare in _preparations:
            prepare(row)
        refuse_texts(row, "" if generated else why)
        try:
            row.save()
        except IntegrityError as error:
            if _is_name_taken(error):
                raise AlreadyExists(_("%(name)s already exists") % {"name": row}) from error
            raise
    _note(row, Entry(row, actor, reason, why, created))
    return row


def delete_as(actor: Actor, row: models.Model, *, reason: str, why: str = "") -> None:
    """Delete `row` in the name of `actor`; its last state stays as a history row of type `-`.

    For rows that are shown as no resource: what the ledger names is never deleted. Raises `Invalid` where `why` holds
    a card number or cannot be stored, and `Anonymous` outside `act()` or without actor or reason.
    """
    with _answered_for(actor, row, reason, why):
        if causes := _why_causes(why):
            raise Invalid.because(causes)
        row.delete()


@contextmanager
def _answered_for(actor: Actor, row: models.Model, reason: str, why: str) -> Iterator[None]:
    """The history row that is written inside names the actor, by which credential they are here, and the reason."""
    if _current.get() is None:
        raise Anonymous("rows change inside milo.audit.act() only")
    if not actor.name or not reason:
        raise Anonymous("rows change in somebody's name and for a reason")
    row._history_user = actor.name  # type: ignore[attr-defined]
    row._change_reason = f"{reason}: {why}" if why else reason  # type: ignore[attr-defined]
    try:
        with provenance.by_credential(actor.credential, actor.maker):
            yield
    finally:
        # simple-history would give the next save the same author and reason
        del row._history_user, row._change_reason  # type: ignore[attr-defined]


def _is_name_taken(error: IntegrityError) -> bool:
    """Whether another act, not committed when this one looked, took the name (on PostgreSQL; SQLite has one writer)."""
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""
    return "_name_" in constraint


def touch(actor: Actor, row: models.Model, *, reason: str = "", why: str = "") -> None:
    """Owe `row` a revision: what it shows has changed through another row."""
    _note(row, Entry(row, actor, reason, why, created=False))


def _why_causes(why: str) -> list[Cause]:
    return texts.causes(why, "message") + card_numbers.causes(why, "message")


def refuse_texts(row: models.Model, why: str = "") -> None:
    """Raise `Invalid` naming every text of `row` that holds a card number (compliance.md) or cannot be stored.

    Not searched for card numbers are the model's `opaque_columns`, which its service searches by finer rules or which
    repeat what another row holds, and its `unsearched_paths`: a pattern of the paths in a manifest of what has check
    digits of its own or is an id of another system, in the columns and in the copy that kubectl keeps of a manifest.
    Its `derived_columns` repeat what other columns hold, and are looked at only where those have no fault.
    """
    known: dict[str, str] = getattr(row, "manifest_paths", {})
    opaque: frozenset[str] = getattr(row, "opaque_columns", frozenset())
    unsearched: re.Pattern[str] | None = getattr(row, "unsearched_paths", None)
    derived: frozenset[str] = getattr(row, "derived_columns", frozenset())
    causes = _why_causes(why)
    for column in sorted(row._meta.concrete_fields, key=lambda column: column.name in derived):
        if column.name in derived and causes:
            continue
        if isinstance(column, models.CharField | models.TextField | models.JSONField):
            value, path = getattr(row, column.attname), known.get(column.name, column.name)
            causes += texts.causes(value, path, getattr(column, "max_length", None))
            if column.name not in opaque:
                causes += _card_numbers(value, path, unsearched)
    if causes:
        raise Invalid.because(causes)


def _card_numbers(value: Any, path: str, unsearched: re.Pattern[str] | None) -> list[Cause]:
    copy = _last_applied(value) if path == ANNOTATIONS and unsearched else None
    if copy is None:
        return card_numbers.causes(value, path, unsearched)
    others = {name: text for name, text in value.items() if name != LAST_APPLIED}
    inside = [cause for name, part in copy.items() for cause in card_numbers.causes({name: part}, "", unsearched)]
    found = card_numbers.causes(others, path, unsearched)
    return found + [replace(cause, field=f"{path}.{LAST_APPLIED}") for cause in inside[:1]]


def _last_applied(annotations: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest that kubectl keeps a copy of in an annotation; None where there is none."""
    try:
        copy = json.loads(annotations.get(LAST_APPLIED, ""))
    except (TypeError, ValueError, RecursionError):
        return None
    return copy if isinstance(copy, dict) else None
