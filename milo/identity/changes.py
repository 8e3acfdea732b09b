"""Changes of users, roles and credentials: their histories merged into one list."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, User
from django.db.models import F, Model, QuerySet, Value
from django_otp.plugins.otp_totp.models import TOTPDevice

from milo import audit, continue_tokens
from milo.identity.models import Identity, PasswordLink, ServiceToken, ServiceUser

_NOBODY = Value(0)
_PURPOSE = "changes of people and roles"
_COLUMNS = (
    "history_date",
    "history_id",
    "source",
    "history_user_id",
    "history_change_reason",
    "history_change_message",
    "person",
    "role",
)
# per history: the columns with the primary keys of the person and of the platform role
_SOURCES: dict[type[Model], tuple[F | Value, F | Value]] = {
    User: (F("id"), _NOBODY),
    Group: (_NOBODY, F("id")),
    User.groups.through: (F("user_id"), F("group_id")),
    User.user_permissions.through: (F("user_id"), _NOBODY),
    Group.permissions.through: (_NOBODY, F("group_id")),
    **{model: (F("user_id"), _NOBODY) for model in (TOTPDevice, ServiceUser, ServiceToken, Identity, PasswordLink)},
}


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a change: its instant (UTC), the number of its history and its key there."""

    at: datetime
    source: int
    key: int

    def __str__(self) -> str:
        """Return the place as an opaque token, safe in a URL."""
        return continue_tokens.seal([self.at.isoformat(), self.source, self.key], _PURPOSE)

    @classmethod
    def parse(cls, token: str) -> "Place":
        """Return the place of a token. Raises `Malformed` or `Unreadable` of `milo.continue_tokens`."""
        at, source, key = continue_tokens.unseal(token, _PURPOSE)
        return cls(datetime.fromisoformat(at), source, key)


@dataclass(frozen=True, slots=True)
class Change:
    """One history row. `person` and `role` are current or last names; "" if the change has none."""

    place: "Place"
    at: datetime
    author: str
    reason: str
    person: str
    role: str


ACCESS: Collection[type[Model]] = (User, User.groups.through)
"""What the form of a person changes: their row and their platform roles."""


def changes(
    count: int, after: Place | None = None, *, username: str = "", of: Collection[type[Model]] = tuple(_SOURCES)
) -> list[Change]:
    """Return `count` changes behind a place, newest first. Takes three queries.

    `username` limits them to changes of users who have, or once had, this name, `of` to histories of these models.
    """
    known = _past(User).order_by().filter(username=username).values("id") if username else None
    parts = []
    for number, (model, (person, role)) in enumerate(_SOURCES.items()):
        if model not in of:
            continue
        rows: QuerySet[Any] = _past(model).alias(person=person)
        if after:
            rows = rows.filter(audit.behind((after.at, after.source, after.key), number, "history_date", "history_id"))
        if known is not None:
            rows = rows.filter(person__in=known)
        # found first, since SQLite takes no limit in a part of a union
        newest = rows.order_by("-history_date", "-history_id").values("history_id")[:count]
        shown = _past(model).filter(history_id__in=newest).order_by()
        parts.append(shown.annotate(source=Value(number), person=person, role=role).values_list(*_COLUMNS))
    # a total order, because one transaction may write several rows of the same instant
    page = list(parts[0].union(*parts[1:], all=True).order_by("-history_date", "source", "-history_id")[:count])
    people = _names(User, "username", {row[6] for row in page})
    roles = _names(Group, "name", {row[7] for row in page})
    return [
        Change(
            Place(at, source, key),
            at,
            author,
            f"{reason}: {message}" if message else reason,
            people.get(person, ""),
            roles.get(role, ""),
        )
        for at, key, source, author, reason, message, person, role in page
    ]


def _past(model: type[Model]) -> QuerySet[Model]:
    return audit.histories()[model].model_of(model)._base_manager.all()


def _names(model: type[Model], column: str, keys: set[int]) -> dict[int, str]:
    """Return the last known name by primary key, including deleted rows."""
    return dict(_past(model).filter(id__in=keys).order_by("history_id").values_list("id", column))
