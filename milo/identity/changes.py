"""Changes of users, roles and credentials: their histories merged into one list."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import Group, User
from django.db.models import F, Model, QuerySet, Value
from django_otp.plugins.otp_totp.models import TOTPDevice

from milo import audit
from milo.identity.models import Identity, PasswordLink, ServiceToken, ServiceUser

_NOBODY = Value(0)
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
class Change:
    """One history row. `person` and `role` are current or last names; "" if the change has none."""

    at: datetime
    author: str
    reason: str
    person: str
    role: str


def changes(start: int, count: int, *, username: str = "") -> list[Change]:
    """Return `count` changes from index `start` on, newest first. Takes three queries.

    `username` limits them to changes of users who have, or once had, this name.
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
    # a total order, because one transaction may write several rows of the same instant
    ordered = rows[0].union(*rows[1:], all=True).order_by("-history_date", "source", "-history_id")
    page = list(ordered[start : start + count])
    people = _names(User, "username", {row[6] for row in page})
    roles = _names(Group, "name", {row[7] for row in page})
    return [
        Change(at, author, f"{reason}: {message}" if message else reason, people.get(person, ""), roles.get(role, ""))
        for at, _id, _source, author, reason, message, person, role in page
    ]


def _past(model: type[Model]) -> QuerySet[Model]:
    return audit.histories()[model].model_of(model)._base_manager.all()


def _names(model: type[Model], column: str, keys: set[int]) -> dict[int, str]:
    """Return the last known name by primary key, including deleted rows."""
    return dict(_past(model).filter(id__in=keys).order_by("history_id").values_list("id", column))
