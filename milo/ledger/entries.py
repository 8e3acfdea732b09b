"""Entries of the ledger: the history rows of many models as one list, newest first, in pages."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, Q, QuerySet, Value

from milo import audit, continue_tokens
from milo.ledger.models import Seal
from milo.ledger.seals import sealed_through

# the first of these that a model has is what people call its rows by
_NAMES = ("name", "username")


@dataclass(frozen=True, slots=True)
class Place:
    """The position of an entry: its instant (UTC), its table and its key there. One transaction writes many at once."""

    at: datetime
    table: str
    key: int

    def __str__(self) -> str:
        """Return the place as an opaque token, safe in a URL."""
        return continue_tokens.seal([self.at.isoformat(), self.table, self.key], "ledger")

    @classmethod
    def parse(cls, token: str) -> "Place":
        """Return the place of a token. Raises `Malformed` or `Unreadable` of `milo.continue_tokens`."""
        at, table, key = continue_tokens.unseal(token, "ledger")
        return cls(datetime.fromisoformat(at), table, key)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries are asked for; an empty value does not limit them.

    `author` is an actor, or the name of a user. `name` is the name of the object, or its UID. `reason` is the CamelCase
    word of the change. Entries are from `since` on and before `until` (UTC).
    """

    author: str = ""
    name: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> Q:
        """Return the condition for the columns that all histories have."""
        where = Q(history_user_id__in=[self.author, f"user:{self.author}"]) if self.author else Q()
        if self.reason:
            where &= Q(history_change_reason=self.reason)
        if self.since:
            where &= Q(history_date__gte=self.since)
        if self.until:
            where &= Q(history_date__lt=self.until)
        return where


@dataclass(frozen=True, slots=True)
class Entry:
    """A history row of `model`, and the row before it, None for the first. `sealed` says that a seal covers it."""

    model: type[Model]
    row: Any
    before: Any
    sealed: bool

    @property
    def name(self) -> str:
        """Return what people call the object."""
        named = next((getattr(self.row, name, "") for name in _NAMES if getattr(self.row, name, "")), "")
        return str(named or getattr(self.row, "uid", f"#{self.row.id}"))


def entries(
    models: Iterable[type[Model]], selection: Selection, after: Place | None = None, *, limit: int
) -> tuple[list[Entry], Place | None]:
    """Return at most `limit` entries of `models`, newest first, and the place of the next page, None on the last.

    Takes one query to find them, and two for each model among them.
    """
    histories = {_history_of(model)._meta.db_table: model for model in models}
    parts = []
    for table, model in histories.items():
        rows = selected(model, selection)
        if rows is not None:
            parts.append(_part(table, rows.filter(_behind(table, after)), limit + 1))
    if not parts:
        return [], None
    found = list(parts[0].union(*parts[1:], all=True).order_by("-history_date", "table", "-history_id")[: limit + 1])
    places = [Place(*each) for each in found[:limit]]
    shown = _entries(histories, places)
    return shown, places[-1] if len(found) > limit else None


def selected(model: type[Model], selection: Selection) -> "QuerySet[Any] | None":
    """Return the history rows of `model` that a selection asks for; None if it can have none."""
    named = _named(model, selection.name)
    return None if named is None else _history_of(model)._base_manager.filter(selection.condition() & named)


def _history_of(model: type[Model]) -> type[Model]:
    return audit.histories()[model].model_of(model)


def _named(model: type[Model], name: str) -> Q | None:
    """Return the condition for history rows of the object `name`; None if no row of the model can have it."""
    if not name:
        return Q()
    try:
        uid = UUID(name)
    except ValueError:
        column = next((each for each in _NAMES if _has(model, each)), "")
        return Q(**{column: name}) if column else None
    return Q(uid=uid) if _has(model, "uid") else None


def _has(model: type[Model], column: str) -> bool:
    try:
        model._meta.get_field(column)
    except FieldDoesNotExist:
        return False
    return True


def _behind(table: str, place: Place | None) -> Q:
    """Return the condition for rows of a table behind a place."""
    if place is None:
        return Q()
    return audit.behind((place.at, place.table, place.key), table, "history_date", "history_id")


def _part(table: str, rows: "QuerySet[Any]", limit: int) -> "QuerySet[Any, tuple[Any, ...]]":
    """Return the places of the newest rows of a table.

    Their keys are found first, since SQLite takes no limit in a part of a union.
    """
    newest = rows.order_by("-history_date", "-history_id").values("history_id")[:limit]
    rows = rows.model._base_manager.filter(history_id__in=newest).order_by().annotate(table=Value(table))
    part: QuerySet[Any, tuple[Any, ...]] = rows.values_list("history_date", "table", "history_id")
    return part


def _entries(histories: dict[str, type[Model]], places: list[Place]) -> list[Entry]:
    tables = Seal.objects.order_by("-number").values_list("tables", flat=True).first() or {}
    found: dict[tuple[str, int], Entry] = {}
    for table in {place.table for place in places}:
        keys = [place.key for place in places if place.table == table]
        rows = _history_of(histories[table])._base_manager.filter(history_id__in=keys)
        through = sealed_through(table, tables)
        for row, before in audit.with_previous(rows):
            found[table, row.history_id] = Entry(histories[table], row, before, row.history_id <= through)
    return [found[place.table, place.key] for place in places]
