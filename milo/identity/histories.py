"""History of users, second factors, platform roles, and who holds which role.

Django and its libraries write these rows, so signals record each save. The author is the user of the request or command
(`milo.audit.authors`); the reason is derived from the changed columns. Log-ins are in `milo.identity.log_ins`.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

import simple_history
from django.contrib.auth.models import Group, Permission, User
from django.db import models
from django.db.models.signals import m2m_changed
from django_otp.plugins.otp_totp.models import TOTPDevice

from milo import audit
from milo.audit.libraries import LibraryHistory
from milo.ledger.live import Difference

APP = "milo.identity"
UNRECORDED = ("password", "last_login")
# the key, and the columns that change with each attempt
UNRECORDED_OF_FACTOR = (
    "key",
    "drift",
    "last_t",
    "last_used_at",
    "throttling_failure_count",
    "throttling_failure_timestamp",
)
GRANTS = {User.groups.through: "PlatformRole", User.user_permissions.through: "Permission"}
_AT_ONCE = 500


class PasswordMark(models.Model):
    """SHA-256 of the encoded password, so that the ledger's check detects a replaced one.

    It does not help to guess the password: the encoded form contains a random salt of 128 bits, which the digest hides.
    """

    password_sha256 = models.CharField(max_length=64)

    class Meta:
        abstract = True


class KeyMark(models.Model):
    """SHA-256 of an authenticator's key (160 random bits), so that the ledger's check detects a replaced one."""

    key_sha256 = models.CharField(max_length=64)

    class Meta:
        abstract = True


def mark_of(user: User) -> str:
    """Return the digest of a user's encoded password."""
    return hashlib.sha256(user.password.encode()).hexdigest()


def mark_of_key(device: TOTPDevice) -> str:
    """Return the digest of an authenticator's key."""
    return hashlib.sha256(device.key.encode()).hexdigest()


def _changed(before: models.Model, after: models.Model, ignored: Collection[str]) -> list[str]:
    """Return the names of the columns whose values differ, but for those `ignored`."""
    names = (column.name for column in after._meta.concrete_fields if column.name not in ignored)
    return [name for name in names if getattr(before, name) != getattr(after, name)]


class _UserHistory(LibraryHistory):
    def digests_of(self, instance: Any) -> dict[str, str]:
        return {"password_sha256": mark_of(instance)}

    def reason(self, before: User | None, after: User) -> tuple[str, str]:
        if before is None:
            return "UserCreated", ""
        changed = _changed(before, after, ignored=("last_login",))
        if changed == ["password"]:
            # Django clears `_password` before it saves a stronger hash of the same password
            return ("PasswordSet" if getattr(after, "_password", None) else "PasswordRehashed"), ""
        # by column: the reason when it becomes False, and when it becomes True
        words = {
            "is_superuser": ("SuperuserRevoked", "SuperuserGranted"),
            "is_staff": ("StaffRevoked", "StaffGranted"),
            "is_active": ("UserDeactivated", "UserActivated"),
        }
        reason = next((both[getattr(after, name)] for name, both in words.items() if name in changed), "UserChanged")
        return (reason, ", ".join(changed)) if changed else ("", "")


class _FactorHistory(LibraryHistory):
    def digests_of(self, instance: Any) -> dict[str, str]:
        return {"key_sha256": mark_of_key(instance)}

    def reason(self, before: TOTPDevice | None, after: TOTPDevice) -> tuple[str, str]:
        if before is None:
            return "SecondFactorSetUp", ""
        changed = _changed(before, after, ignored=UNRECORDED_OF_FACTOR[1:])
        return ("SecondFactorChanged", ", ".join(changed)) if changed else ("", "")


class _GroupHistory(LibraryHistory):
    def reason(self, before: Group | None, after: Group) -> tuple[str, str]:
        if before is None:
            return "PlatformRoleCreated", ""
        return ("PlatformRoleRenamed" if before.name != after.name else ""), ""


def register() -> None:
    """Register the histories of users, second factors, platform roles, and grants of roles and permissions."""
    _register(
        User,
        kind=_UserHistory,
        bases=[PasswordMark],
        personal=("email", "first_name", "last_name"),
        unrecorded=UNRECORDED,
        excluded_fields=list(UNRECORDED),
    )
    _register(
        TOTPDevice,
        kind=_FactorHistory,
        bases=[KeyMark],
        unrecorded=UNRECORDED_OF_FACTOR,
        excluded_fields=list(UNRECORDED_OF_FACTOR),
    )
    _register(Group, kind=_GroupHistory)
    for through in (*GRANTS, Group.permissions.through):
        _register(through, kind=LibraryHistory)
        m2m_changed.connect(_granted, sender=through, dispatch_uid=f"milo.identity.{through.__name__}")


def _register(model: type[models.Model], **config: Any) -> None:
    simple_history.register(
        model, app=APP, records_class=lambda **options: audit.history(organization="", **options), **config
    )


def _granted(
    sender: Any, instance: models.Model, action: str, reverse: bool, pk_set: set[int] | None, **kwargs: Any
) -> None:
    """Record each grant after it was added, and each revocation while the row still exists. Receiver of m2m_changed."""
    if action not in ("post_add", "pre_remove", "pre_clear"):
        return
    ends = [column for column in sender._meta.concrete_fields if isinstance(column, models.ForeignKey)]
    own = next(column for column in ends if isinstance(instance, column.related_model))
    (other,) = (column for column in ends if column is not own)
    rows = sender._base_manager.filter(**{own.attname: instance.pk}).select_related()
    if pk_set is not None:
        rows = rows.filter(**{f"{other.attname}__in": pk_set})
    added, records = action == "post_add", audit.histories()[sender]
    assert isinstance(records, LibraryHistory)
    for row in rows.order_by("pk"):
        grant = getattr(row, ends[-1].name)
        name = grant.codename if isinstance(grant, Permission) else grant.name
        kind = GRANTS.get(sender, "PermissionOfRole")
        reason = f"{kind}{'Granted' if added else 'Revoked'}"
        records.record_of_author(row, "+" if added else "-", reason=reason, message=name)


def passwords() -> Iterator[Difference]:
    """Yield each user whose password does not match the digest in the newest history row."""
    yield from _unmarked(
        User, "password", "password_sha256", mark_of, "has a password that nobody is known to have set"
    )


def second_factors() -> Iterator[Difference]:
    """Yield each authenticator whose key does not match the digest in the newest history row."""
    yield from _unmarked(TOTPDevice, "key", "key_sha256", mark_of_key, "has a key that nobody set up")


def _unmarked(
    model: type[models.Model], secret: str, mark: str, marked: Callable[[Any], str], message: str
) -> Iterator[Difference]:
    past = audit.histories()[model].model_of(model)._base_manager
    rows = model._base_manager.order_by("pk").only("pk", secret)
    after = 0
    while batch := list(rows.filter(pk__gt=after)[:_AT_ONCE]):
        after = batch[-1].pk
        known = past.filter(id__in=[row.pk for row in batch]).order_by("history_id")
        marks = dict(known.values_list("id", mark))
        for row in batch:
            if marks.get(row.pk) != marked(row):
                yield Difference(model._meta.db_table, row.pk, message)
