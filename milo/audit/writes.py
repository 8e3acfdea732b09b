"""Write rows: each with its history row, and entered for a revision, in the current transaction."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from django.db import IntegrityError, models
from django.utils.translation import gettext as _

from milo import card_numbers, clock, provenance, texts
from milo.access import Actor
from milo.audit import time_lines
from milo.audit.records import histories
from milo.audit.transactions import Anonymous, Entry, note, writing
from milo.columns import Columns
from milo.compiled_queries import Update
from milo.errors import AlreadyExists, Cause, Invalid
from milo.races import is_race, refused_by

ANNOTATIONS, LAST_APPLIED = "metadata.annotations", "kubectl.kubernetes.io/last-applied-configuration"
M = TypeVar("M", bound=models.Model)
_preparations: list[Callable[[models.Model], None]] = []


def before_save(function: Callable[[models.Model], None]) -> Callable[[models.Model], None]:
    """Register a function that `save_as` calls with every row before it writes it. It may set columns of the row."""
    _preparations.append(function)
    return function


def save_as(actor: Actor, row: M, *, reason: str, why: str = "", generated: bool = False) -> M:
    """Write `row` and its history row, with `actor` as author. Return the row.

    `reason` is one CamelCase word (`RoleGranted`), also that of the Kubernetes event; `why` is a sentence for people. A
    `why` that is `generated` from numbers, such as an amount, is not searched for card numbers, because one in ten
    numbers of 16 digits is a false positive.

    Raises `Invalid` if a text of the row or `why` holds a card number or cannot be stored, `AlreadyExists` if a
    concurrent transaction takes the name, `ClockWrong` in a process whose clock is wrong, and `Anonymous`
    outside `transaction()` or without actor or reason.
    """
    created, drawn = row._state.adding, row.pk is None
    with _answered_for(actor, row, reason):
        for prepare in _preparations:
            prepare(row)
        refuse_texts(row, "" if generated else why)
        with _refusals_explained(row):
            row.save(update_fields=None if created else _written(type(row)) - row.get_deferred_fields())
        if drawn:
            time_lines.begin(row)
        _record(row, "+" if created else "~", actor, reason, why)
    note(row, Entry(row, actor, reason, why, created))
    return row


def save_all_as(
    actor: Actor, rows: Sequence[tuple[M, str]], *, reason: str, columns: Sequence[str] = (), generated: bool = False
) -> None:
    """Write many rows of one model, each with its `why`, as `save_as` writes one.

    All are new, or of all of them no other columns have changed than `columns`. The number of round trips does not
    depend on that of the rows. Refuses what `save_as` refuses; the name that `AlreadyExists` says is that of one row.
    """
    if not rows:
        return
    first, created = rows[0][0], not columns
    model = type(first)
    with _answered_for(actor, first, reason):
        for row, why in rows:
            for prepare in _preparations:
                prepare(row)
            refuse_texts(row, "" if generated else why)
        with _refusals_explained(first):
            if created:
                model._base_manager.bulk_create([row for row, _why in rows])
            else:
                Update(model, *columns)([row for row, _why in rows])
        if records := histories().get(model):
            records.record_all(rows, "+" if created else "~", author=actor.name, reason=reason)
    for row, why in rows:
        note(row, Entry(row, actor, reason, why, created))


@cache
def fixed_keys(model: type[models.Model]) -> frozenset[str]:
    """Return the columns of unique constraints of a model that never change, such as uid and name.

    There are none where no row refers to those of the model: their guard refuses another key.

    `save_as` does not name them in an UPDATE. Where a table has BEFORE UPDATE triggers, as ours have, PostgreSQL locks
    the row by the columns that the statement names, changed or not: by a key among them it keeps out whoever writes a
    row that refers to this one. That foreign key is checked at the commit, behind the counter of revisions, for which
    this transaction will wait: a deadlock.
    """
    declared: Columns | None = getattr(model, "columns", None)
    unique = {name for each in model._meta.total_unique_constraints for name in each.fields}
    return frozenset(
        of.attname
        for of in model._meta.concrete_fields
        if declared and of.column in declared.always_fixed and (of.unique or of.name in unique) and _is_referred(model)
    )


def _is_referred(model: type[models.Model]) -> bool:
    return any(of.auto_created and not of.concrete for of in model._meta.get_fields(include_hidden=True))


@cache
def _written(model: type[models.Model]) -> frozenset[str]:
    """Return the columns that an UPDATE names."""
    return frozenset(of.attname for of in model._meta.concrete_fields if not of.primary_key) - fixed_keys(model)


@contextmanager
def _refusals_explained(row: models.Model) -> Iterator[None]:
    """Raise `AlreadyExists` or `ClockWrong` for what the database refuses for such a reason."""
    try:
        yield
    except IntegrityError as error:
        if _is_name_taken(row, error):
            raise AlreadyExists(_("%(name)s already exists") % {"name": row}) from error
        clock.explain_refusal(refused_by(error))
        raise


def delete_as(actor: Actor, row: models.Model, *, reason: str, why: str = "") -> None:
    """Delete `row` with `actor` as author. Its last state stays as a history row of type `-`.

    Use it only for rows that are not resources of the API; those are never deleted. Raises `Invalid` if `why` holds a
    card number or cannot be stored, and `Anonymous` outside `transaction()` or without actor or reason.
    """
    with _answered_for(actor, row, reason):
        if causes := _why_causes(why):
            raise Invalid.because(causes)
        # before the delete: a guard may require the last history row before it allows it
        _record(row, "-", actor, reason, why)
        row.delete()


@contextmanager
def _answered_for(actor: Actor, row: models.Model, reason: str) -> Iterator[None]:
    """Allow writing `row` inside, and record the actor's credential. Raises `Anonymous` without actor or reason."""
    if not actor.name or not reason:
        raise Anonymous("rows change in somebody's name and for a reason")
    with writing(row), provenance.by_credential(actor.credential, actor.maker):
        yield


def _record(row: models.Model, history_type: str, actor: Actor, reason: str, message: str) -> None:
    if records := histories().get(type(row)):
        records.record(row, history_type, author=actor.name, reason=reason, message=message)


def _is_name_taken(row: models.Model, error: IntegrityError) -> bool:
    """Return whether a concurrent transaction took the name. Only on PostgreSQL; SQLite has one writer."""
    return is_race(error) and refused_by(error) == getattr(row, "name_constraint", None)


def _why_causes(why: str) -> list[Cause]:
    return texts.causes(why, "message") + card_numbers.causes(why, "message")


def refuse_texts(row: models.Model, why: str = "") -> None:
    """Raise `Invalid` that names every text of `row` with a card number or characters that cannot be stored.

    Three attributes of a model exempt columns from the search for card numbers:
    - `opaque_columns` are searched by the service with finer rules, or repeat another row.
    - `unsearched_paths` is a pattern of paths in the manifest, for values with their own check digits and ids of other
      systems. It applies to columns and to the copy of the manifest that kubectl keeps in an annotation.
    - `derived_columns` repeat other columns, and are searched only if those have no fault.
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
    outside = card_numbers.causes(others, path, unsearched)
    return outside + [replace(cause, field=f"{path}.{LAST_APPLIED}") for cause in inside[:1]]


def _last_applied(annotations: dict[str, Any]) -> dict[str, Any] | None:
    """Return the copy of the manifest that kubectl keeps in an annotation, or None."""
    try:
        copy = json.loads(annotations.get(LAST_APPLIED, ""))
    except (TypeError, ValueError, RecursionError):
        return None
    return copy if isinstance(copy, dict) else None
