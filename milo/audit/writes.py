"""The one door through which rows are written: the row, its history and its revision, in one act."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from django.db import IntegrityError, models
from django.utils.translation import gettext as _

from milo import card_numbers, provenance, texts
from milo.access import Actor
from milo.audit.records import histories
from milo.audit.transactions import Anonymous, Entry, note, writing
from milo.errors import AlreadyExists, Cause, Invalid
from milo.races import is_race, refused_by

ANNOTATIONS, LAST_APPLIED = "metadata.annotations", "kubectl.kubernetes.io/last-applied-configuration"
M = TypeVar("M", bound=models.Model)
_preparations: list[Callable[[models.Model], None]] = []


def before_save(function: Callable[[models.Model], None]) -> Callable[[models.Model], None]:
    """Register `function` to be given every row that `save_as` is about to write; it may set columns of the row."""
    _preparations.append(function)
    return function


def save_as(actor: Actor, row: M, *, reason: str, why: str = "", generated: bool = False) -> M:
    """Write `row` and its history row, in the name of `actor`.

    `reason` is one CamelCase word (`RoleGranted`, also the reason of the Kubernetes
    event), `why` a sentence for people. Raises `Invalid` where any text of the row or `why`
    holds a card number or cannot be stored, `AlreadyExists` where another act takes the
    name at the same moment, and `Anonymous` outside `transaction()` or without actor or reason. A `why` that is
    `generated` of numbers, such as an amount, is not searched: one in ten of 16 digits would pass for a card number.
    """
    created = row._state.adding
    with _answered_for(actor, row, reason):
        for prepare in _preparations:
            prepare(row)
        refuse_texts(row, "" if generated else why)
        try:
            row.save()
        except IntegrityError as error:
            if _is_name_taken(row, error):
                raise AlreadyExists(_("%(name)s already exists") % {"name": row}) from error
            raise
        _record(row, "+" if created else "~", actor, reason, why)
    note(row, Entry(row, actor, reason, why, created))
    return row


def delete_as(actor: Actor, row: models.Model, *, reason: str, why: str = "") -> None:
    """Delete `row` in the name of `actor`; its last state stays as a history row of type `-`.

    For rows that are shown as no resource: what the ledger names is never deleted. Raises `Invalid` where `why` holds
    a card number or cannot be stored, and `Anonymous` outside `transaction()` or without actor or reason.
    """
    with _answered_for(actor, row, reason):
        if causes := _why_causes(why):
            raise Invalid.because(causes)
        # while the row is there: a guard may ask for its last history row before it lets the row go
        _record(row, "-", actor, reason, why)
        row.delete()


@contextmanager
def _answered_for(actor: Actor, row: models.Model, reason: str) -> Iterator[None]:
    """Writing `row` inside raises no alarm; its history names by which credential the actor is here."""
    if not actor.name or not reason:
        raise Anonymous("rows change in somebody's name and for a reason")
    with writing(row), provenance.by_credential(actor.credential, actor.maker):
        yield


def _record(row: models.Model, history_type: str, actor: Actor, reason: str, message: str) -> None:
    if records := histories().get(type(row)):
        records.record(row, history_type, author=actor.name, reason=reason, message=message)


def _is_name_taken(row: models.Model, error: IntegrityError) -> bool:
    """Whether another act, not committed when this one looked, took the name (on PostgreSQL; SQLite has one writer)."""
    return is_race(error) and refused_by(error) == getattr(row, "name_constraint", None)


def _why_causes(why: str) -> list[Cause]:
    return texts.causes(why, "message") + card_numbers.causes(why, "message")


def refuse_texts(row: models.Model, why: str = "") -> None:
    """Raise `Invalid` naming every text of `row` that holds a card number or cannot be stored.

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
