"""Roles in an organization: the actions that grant and revoke them, and the subresources of members and changes."""

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
        help_text=gettext_lazy("true to leave the organization without an active billing-admin."),
    )


class MemberSerializer(serializers.Serializer[Any]):
    user = serializers.CharField(help_text=gettext_lazy("The name by which the person logs in."))
    role = serializers.CharField(help_text=gettext_lazy("The role of the person."))
    active = serializers.BooleanField(help_text=gettext_lazy("Whether the person can log in."))
    grantedAt = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) since which the person has had it."))
    grantedBy = serializers.CharField(help_text=gettext_lazy("Who granted it."))


class MembersSerializer(serializers.Serializer[Any]):
    items = MemberSerializer(
        many=True, help_text=gettext_lazy("Sorted by the names of the users; an item for each role.")
    )


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
    return {"items": [_change_item(change) for change in memberships.role_changes(row)[:AT_MOST]]}


def _change_item(change: Any) -> dict[str, Any]:
    return without_empty(
        {
            "at": precise_instant(change.history_date),
            "user": change.username,
            "role": change.role,
            "reason": change.history_change_reason,
            "message": change.history_change_message,
            "actor": change.history_user_id,
            "requestID": change.history_request_id,
        }
    )


ROLE_ACTIONS = (
    Action(
        GRANT_ROLE,
        _grant,
        GrantRoleSerializer,
        gettext_lazy("Grant a person a role in the organization; a repeat changes nothing."),
        examples.GRANT_ROLE,
    ),
    Action(
        REVOKE_ROLE,
        _revoke,
        RevokeRoleSerializer,
        gettext_lazy("Revoke a role of a person, from their next request on."),
        examples.REVOKE_ROLE,
    ),
)
ROLE_READ_SUBRESOURCES = (
    ReadSubresource(
        "members",
        _members,
        NothingSerializer,
        MembersSerializer,
        gettext_lazy("The roles of people in the organization: since when, and who granted them; also as CSV."),
        examples.MEMBERS,
        # the role that reports charges may get organizations, but must not see their members
        verb="list",
    ),
    ReadSubresource(
        "rolehistory",
        _history,
        NothingSerializer,
        RoleChangesSerializer,
        gettext_lazy("Every grant and revocation of a role: who, when, why; also as CSV."),
        examples.ROLE_HISTORY,
        verb="list",
    ),
)
