"""Changes to people: what the histories of users, roles and credentials say, as one list."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import Group, User
from django.db.models import F, Model, QuerySet, Value
from django_otp.plugins.otp_totp.models import TOTPDevice

from milo import audit
from milo.identity.models import Identity, PasswordLink, ServiceToken, ServiceUser

_NOBODY = Value(0)
# each history, with the columns that name the person and the platform role of a change
_SOURCES: dict[type[Model], tuple[F | Value, F | Value]] = {
    User: (F("id"), _NOBODY),
    Group: (_NOBODY, F("id")),
    User.groups.through: (F("user_id"), F("group_id")),
    User.user_permissions.through: (F("user_id"), _NOBODY),
    Group.permissions.through: (_NOBODY, F("group_id")),
    **{model: (F("user_id"), _NOBODY) for model in (TOTPDevice, ServiceUser, ServiceToken, Identity, PasswordLink)},
}


@dataclass(frozen=True, slots=True)
class Change:
    """One history row. `person` and `role` are the names at present, or the last ones; empty where there is none."""

    at: datetime
    author: str
    reason: str
    person: str
    role: str


def changes(start: int, count: int, *, username: str = "") -> list[Change]:
    """Return `count` changes from number `start` on, the newest first; three queries.

    `username` narrows them to those of whoever has, or ever had, that user name.
    """
    rows: list[QuerySet[Model, tuple[datetime, int, str, str, str, str, int, int]]] = [
        _past(model)
        .order_by()
        .annotate(source=Value(model.__name__), person=person, role=role)
        .values_list(
            "history_date",
            "history_id",
            "source",
            "history_user_id",
            "history_change_reason",
            "history_change_message",
            "person",
            "role",
        )
        for model, (person, role) in _SOURCES.items()
    ]
    if username:
        known = _past(User).order_by().filter(username=username).values("id")
        rows = [part.filter(person__in=known) for part in rows]
    # one act may write several rows of one instant
    ordered = rows[0].union(*rows[1:], all=True).order_by("-history_date", "source", "-history_id")
    found = list(ordered[start : start + count])
    people = _names(User, "username", {row[6] for row in found})
    roles = _names(Group, "name", {row[7] for row in found})
    return [
        Change(at, author, f"{reason}: {message}" if message else reason, people.get(person, ""), roles.get(role, ""))
        for at, _id, _source, author, reason, message, person, role in found
    ]


def _past(model: type[Model]) -> QuerySet[Model]:
    return audit.histories()[model].model_of(model)._base_manager.all()


def _names(model: type[Model], column: str, keys: set[int]) -> dict[int, str]:
    """Return the last name of each, also of those that were deleted."""
    return dict(_past(model).filter(id__in=keys).order_by("history_id").values_list("id", column))
