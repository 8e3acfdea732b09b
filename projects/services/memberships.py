"""Roles in organizations: grant, revoke, and list present and past ones."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, User
from django.db.models import CharField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Concat
from django.utils.translation import gettext as _

from milo import audit
from milo.access import Actor
from milo.errors import Cause, Invalid
from projects.access import GRANT_ROLE, ORGANIZATIONS, REVOKE_ROLE
from projects.models import Membership, Organization

GRANTED, REVOKED = "RoleGranted", "RoleRevoked"


def user_named(name: str) -> User:
    """Return the user with that name. Raises `Invalid` if there is none."""
    user = User.objects.filter(username=name).first()
    if user is None:
        raise _no_user(name)
    return user


def grant(organization: Organization, user: AbstractBaseUser, role: str, *, why: str = "", actor: Actor) -> Membership:
    """Grant `user` a role in the organization, from their next request on. A repeat changes nothing.

    `why` is a reason for people, kept in the history. Raises `Forbidden`, and `Invalid` for an unknown role or a
    deactivated user.
    """
    actor.require("create", ORGANIZATIONS, organization.pk, action=GRANT_ROLE)
    _refuse_unknown(role)
    if not user.is_active:
        raise _no_user(user.get_username())
    with audit.transaction():
        # serializes concurrent grants of one role: both would find that it is not held
        Organization.objects.locked().get(pk=organization.pk)
        held = Membership.objects.filter(organization=organization, user_id=user.pk, role=role).first()
        if held:
            return held
        membership = Membership(organization=organization, user_id=user.pk, role=role)
        return audit.save_as(actor, membership, reason=GRANTED, why=why)


def revoke(
    organization: Organization,
    user: AbstractBaseUser,
    role: str,
    *,
    why: str,
    allow_no_billing_admin: bool = False,
    actor: Actor,
) -> None:
    """Revoke a role of `user`, active or not, in the organization, from their next request on.

    `why` is a reason for people, kept in the history. Raises `Forbidden`, and `Invalid` without a reason, for a role
    that the user does not hold, and if no active billing-admin would be left, unless `allow_no_billing_admin`.
    """
    actor.require("create", ORGANIZATIONS, organization.pk, action=REVOKE_ROLE)
    _refuse_unknown(role)
    if not why.strip():
        raise Invalid.because([Cause.required("spec.reason")])
    with audit.transaction():
        # serializes billing-admins who revoke each other: both would find one left
        Organization.objects.locked().get(pk=organization.pk)
        held = Membership.objects.filter(organization=organization, user_id=user.pk, role=role).first()
        if held is None:
            values = {"user": user.get_username(), "role": role, "organization": organization.name}
            message = _("%(user)s does not hold %(role)s in %(organization)s") % values
            raise Invalid.because([Cause.not_found("spec.role", message)])
        if is_last_billing_admin(held) and not allow_no_billing_admin:
            message = _(
                "%(user)s is the last active billing-admin of %(organization)s: grant the role to somebody else first,"
                " or say that none is to be left"
            ) % {"user": user.get_username(), "organization": organization.name}
            raise Invalid.because([Cause.required("spec.allowNoBillingAdmin", message)])
        audit.delete_as(actor, held, reason=REVOKED, why=why)


def is_last_billing_admin(membership: Membership) -> bool:
    """Return whether the organization would have no active billing-admin without this membership."""
    if membership.role != Membership.Role.BILLING_ADMIN:
        return False
    admins = Membership.objects.filter(organization_id=membership.organization_id, role=membership.role)
    return not admins.filter(user__is_active=True).exclude(pk=membership.pk).exists()


def without_billing_admin(user: User) -> QuerySet[Organization]:
    """Return the organizations in which `user` is a billing-admin and no active user is, sorted by name."""
    admins = Membership.objects.filter(role=Membership.Role.BILLING_ADMIN)
    held = Organization.objects.filter(pk__in=admins.filter(user=user).values("organization"))
    return held.exclude(pk__in=admins.filter(user__is_active=True).values("organization")).order_by("name")


def members(organization: Organization) -> QuerySet[Any]:
    """Return the present roles in the organization, sorted by user, with `granted_at` (UTC) and `granted_by`."""
    return _with_grants(organization.memberships.select_related("user")).order_by("user__username", "role")


def memberships_of(user: User) -> QuerySet[Any]:
    """Return the present roles of `user`, sorted by organization, with `granted_at` (UTC) and `granted_by`."""
    held = Membership.objects.filter(user=user).select_related("user", "organization")
    return _with_grants(held).order_by("organization__name", "role")


def _with_grants(held: QuerySet[Membership]) -> QuerySet[Any]:
    granted = Membership.history.filter(id=OuterRef("pk"), history_type="+")
    return held.annotate(
        granted_at=Subquery(granted.values("history_date")[:1]),
        granted_by=Subquery(granted.values("history_user_id")[:1]),
    )


def role_changes(organization: Organization) -> QuerySet[Any]:
    """Return the history rows of all roles in the organization, revoked ones included, newest first.

    They are annotated with `username`: "#" and the primary key for a user whom the database's owner deleted.
    """
    number = Concat(Value("#"), Cast("user_id", CharField()))
    changes: QuerySet[Any] = Membership.history.annotate(username=Coalesce("user__username", number))
    return changes.filter(organization_id=organization.pk).order_by("-history_id")


def _refuse_unknown(role: str) -> None:
    if role not in Membership.Role.values:
        known = ", ".join(Membership.Role.values)
        message = _("must be one of %(known)s") % {"known": known}
        raise Invalid.because([Cause("spec.role", message, "FieldValueNotSupported")])


def _no_user(name: str) -> Invalid:
    message = _("there is no active user %(name)s") % {"name": name}
    return Invalid.because([Cause.not_found("spec.user", message)])
