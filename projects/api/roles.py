"""Roles in an organization: the acts that grant and revoke them, and the readings of who holds and held them."""

from typing import Any

from django.utils.translation import gettext_lazy
from rest_framework import serializers

from milo.access import Actor
from milo.kube.fields import BooleanField, ChoiceField, StringField
from milo.kube.kinds import Action, ReadSubresource
from milo.kube.schemas import NothingSerializer
from milo.kube.store.manifests import precise_instant, without_empty
from projects.access import GRANT_ROLE, REVOKE_ROLE
from projects.api import examples
from projects.models import Membership, Organization
from projects.services import memberships

AT_MOST = 1000


class GrantRoleSerializer(serializers.Serializer[Any]):
    user = StringField(max_length=150, help_text=gettext_lazy("The name by which the person logs in."))
    role = ChoiceField(
        Membership.Role.choices, help_text=gettext_lazy("billing-admin, billing-user or billing-viewer.")
    )
    reason = StringField(
        source="why",
        max_length=2000,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("Why; kept in the history."),
    )


class RevokeRoleSerializer(serializers.Serializer[Any]):
    user = GrantRoleSerializer._declared_fields["user"]
    role = GrantRoleSerializer._declared_fields["role"]
    reason = StringField(source="why", max_length=2000, help_text=gettext_lazy("Why; kept in the history."))
    allowNoBillingAdmin = BooleanField(
        source="allow_no_billing_admin",
        required=False,
        help_text=gettext_lazy("Say true where the organization is to be left without an active billing-admin."),
    )


class MemberSerializer(serializers.Serializer[Any]):
    user = serializers.CharField(help_text=gettext_lazy("The name by which the person logs in."))
    role = serializers.CharField(help_text=gettext_lazy("The role held."))
    active = serializers.BooleanField(help_text=gettext_lazy("Whether the person can log in."))
    grantedAt = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) from which it has been held."))
    grantedBy = serializers.CharField(help_text=gettext_lazy("Who granted it."))


class MembersSerializer(serializers.Serializer[Any]):
    items = MemberSerializer(many=True, help_text=gettext_lazy("By the names of the users; a line for each role."))


class RoleChangeSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) of the change."))
    user = serializers.CharField(help_text=gettext_lazy("Whose role it is."))
    role = serializers.CharField(help_text=gettext_lazy("The role."))
    reason = serializers.CharField(help_text=gettext_lazy("RoleGranted or RoleRevoked."))
    message = serializers.CharField(required=False, help_text=gettext_lazy("Why, for people."))
    actor = serializers.CharField(help_text=gettext_lazy("Who did it."))
    requestID = serializers.CharField(required=False, help_text=gettext_lazy("X-Request-ID of the request."))


class RoleChangesSerializer(serializers.Serializer[Any]):
    items = RoleChangeSerializer(many=True, help_text=gettext_lazy("Newest first, at most 1000."))


def _grant(row: Organization, spec: dict[str, Any], *, actor: Actor) -> Organization:
    memberships.grant(row, memberships.user_named(spec.pop("user")), **spec, actor=actor)
    return row


def _revoke(row: Organization, spec: dict[str, Any], *, actor: Actor) -> Organization:
    memberships.revoke(row, memberships.user_named(spec.pop("user")), **spec, actor=actor)
    return row


def _members(row: Organization, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    return {
        "items": [
            {
                "user": held.user.get_username(),
                "role": held.role,
                "active": held.user.is_active,
                "grantedAt": precise_instant(held.granted_at),
                "grantedBy": held.granted_by,
            }
            for held in memberships.members(row)
        ]
    }


def _history(row: Organization, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    return {"items": [_change(was) for was in memberships.role_changes(row)[:AT_MOST]]}


def _change(was: Any) -> dict[str, Any]:
    return without_empty(
        {
            "at": precise_instant(was.history_date),
            "user": was.username,
            "role": was.role,
            "reason": was.history_change_reason,
            "message": was.history_change_message,
            "actor": was.history_user_id,
            "requestID": was.history_request_id,
        }
    )


ROLE_ACTS = (
    Action(
        GRANT_ROLE,
        _grant,
        GrantRoleSerializer,
        gettext_lazy("Give a person a role in the organization; repeating it changes nothing."),
        examples.GRANT_ROLE,
    ),
    Action(
        REVOKE_ROLE,
        _revoke,
        RevokeRoleSerializer,
        gettext_lazy("Take a role from a person, from their next request on."),
        examples.REVOKE_ROLE,
    ),
)
ROLE_READINGS = (
    ReadSubresource(
        "members",
        _members,
        NothingSerializer,
        MembersSerializer,
        gettext_lazy("Who holds which role in the organization, since when, and who granted it; also as CSV."),
        examples.MEMBERS,
        # who reports charges sees organizations, and not the people in them
        verb="list",
    ),
    ReadSubresource(
        "rolehistory",
        _history,
        NothingSerializer,
        RoleChangesSerializer,
        gettext_lazy("Every role that was granted or revoked: who, when, why; also as CSV."),
        examples.ROLE_HISTORY,
        verb="list",
    ),
)
