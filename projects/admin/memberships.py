"""Roles in organizations: an organization's page grants them, the page of a role revokes it."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.enums import ActionVariant

from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.forms import ActForm, Paragraph, Select, Tick
from milo.admin.ledger import LedgerAdmin
from milo.admin.messages import why
from milo.admin.panels import Panel, first, instant, link, list_address
from milo.admin.related_filters import RelatedFilter
from milo.admin.suggestions import SuggestedUser
from projects.access import GRANT_ROLE, ORGANIZATIONS, REVOKE_ROLE
from projects.models import Membership, Organization
from projects.services.memberships import grant, is_last_billing_admin, members, revoke, role_changes

_PATHS = {"spec.user": "user", "spec.role": "role", "spec.reason": "why", "message": "why"}


class GrantForm(ActForm):
    user = SuggestedUser(User.objects.filter(is_active=True), label=gettext_lazy("User"))
    role = Select(choices=Membership.Role.choices, label=gettext_lazy("Role"))
    why = Paragraph(max_length=2000, required=False, label=gettext_lazy("Reason"))

    paths = _PATHS


class GrantRole(ServiceAction):
    """Offered on the page of an organization."""

    name = "grant"
    title = gettext_lazy("Grant role")
    icon = "person_add"
    verb, resource, action = "create", ORGANIZATIONS, GRANT_ROLE
    form_class = GrantForm

    def call(self, values: dict[str, Any], *, actor: Actor) -> Organization:
        organization: Organization = self.row
        grant(organization, **values, actor=actor)
        return organization


class RevokeForm(ActForm):
    """The reason; and a confirmation, only if the organization would be left without an active billing-admin."""

    row: Membership
    why = Paragraph(
        max_length=2000, label=gettext_lazy("Reason"), help_text=gettext_lazy("It stays in the history for ever.")
    )
    allow_no_billing_admin = Tick(
        required=False, label=gettext_lazy("The organization is to be left without an active billing admin")
    )

    paths = {**_PATHS, "spec.allowNoBillingAdmin": "allow_no_billing_admin"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_last_billing_admin(self.row):
            del self.fields["allow_no_billing_admin"]


class RevokeRole(ServiceAction):
    name = "revoke"
    title = gettext_lazy("Revoke role")
    icon = "person_remove"
    variant = ActionVariant.DANGER
    verb, resource, action = "create", ORGANIZATIONS, REVOKE_ROLE
    form_class = RevokeForm

    def facts(self) -> Facts:
        held: Membership = self.row
        return [
            (_("User"), held.user.get_username()),
            (_("Role"), held.get_role_display()),
            (_("Organization"), link(held.organization)),
            (_("What will happen"), _("The next request of this person is answered without the role.")),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> Organization:
        held: Membership = self.row
        revoke(held.organization, held.user, held.role, **values, actor=actor)
        return held.organization


@admin.register(Membership)
class MembershipAdmin(LedgerAdmin):
    resource = ORGANIZATIONS
    icon = "group"
    nothing_yet = gettext_lazy("Roles are granted by a button on the page of the organization.")
    list_display = ("user", "organization", "role")
    list_filter = (("organization", RelatedFilter), ("role", ChoicesDropdownFilter))
    list_select_related = ("user", "organization")
    search_fields = ("user__username", "organization__name")
    ordering = ("-pk",)
    fieldsets = ((None, {"fields": ("user", "organization", "role")}),)
    object_actions = (RevokeRole,)


def role_panels(organization: Organization) -> list[Panel]:
    """Return the panels of the roles held in the organization, and of their changes."""
    return [_held(organization), _changes(organization)]


def _held(organization: Organization) -> Panel:
    rows, more = first(members(organization))
    return Panel(
        _("Roles"),
        [_("User"), _("Role"), _("Since"), _("Granted by")],
        [
            [
                link(held, held.user.get_username()),
                held.get_role_display(),
                instant(held.granted_at),
                held.granted_by,
            ]
            for held in rows
        ],
        more=list_address(Membership, organization__id__exact=organization.pk) if more else "",
    )


def _changes(organization: Organization) -> Panel:
    changes, _more = first(role_changes(organization))
    return Panel(
        _("Roles granted and revoked"),
        [_("When"), _("User"), _("Role"), _("Who"), _("Why")],
        [
            [
                format_html('<a href="{}" class="text-link">{}</a>', _history_of(change), instant(change.history_date)),
                change.username,
                change.get_role_display(),
                change.history_user_id,
                why(change.history_summary),
            ]
            for change in changes
        ],
    )


def _history_of(change: Any) -> str:
    """Return the address of the history of a role; it remains after the role is revoked."""
    return reverse("admin:projects_membership_history", args=[change.id])
