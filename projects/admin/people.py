"""The page of a user: where they have roles, who changed which, and what a change leaves behind."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from milo.admin.actors import request_actor
from milo.admin.log_ins import PeopleChanges
from milo.admin.messages import why
from milo.admin.panels import SHOWN, Panel, badge, first, instant, lines, link, list_address
from milo.admin.users import UserAdmin
from milo.identity.changes import changes
from milo.identity.models import LogIn
from projects.access import ORGANIZATIONS, STAFF_ROLES
from projects.models import Membership
from projects.services.memberships import memberships_of, without_billing_admin

admin.site.unregister(User)


def without_site(user: User) -> list[str]:
    """Return the roles of `user` that are used on the staff site, which the user may not enter; sorted."""
    if user.is_staff and user.is_active:
        return []
    roles = [_("superuser")] if user.is_superuser else []
    return roles + sorted(group.name for group in user.groups.all() if group.name in STAFF_ROLES)


@admin.register(User)
class PersonAdmin(UserAdmin):
    """Warns of roles that lead nowhere, and of organizations that a deactivation leaves without a billing-admin."""

    change_form_outer_after_template = "milo/panels.html"
    fieldsets = (
        UserAdmin.fieldsets[0],
        (UserAdmin.fieldsets[1][0], {"fields": (*UserAdmin.fieldsets[1][1]["fields"], "site")}),
        *UserAdmin.fieldsets[2:],
    )
    readonly_fields: ClassVar[tuple[str, ...]] = (*UserAdmin.readonly_fields, "site")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if obj.is_active or "is_active" not in form.changed_data:
            return
        if organizations := without_billing_admin(obj):
            names = ", ".join(organization.name for organization in organizations)
            message = _("No active billing-admin is left in %(organizations)s: grant the role to somebody else.")
            messages.warning(request, message % {"organizations": names})

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        # read anew: the form keeps the roles from before
        if roles := without_site(User.objects.get(pk=form.instance.pk)):
            messages.warning(request, _without_site(roles))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        user = self.get_object(request, object_id)
        opens = request_actor(request).may("list", ORGANIZATIONS, None)
        panels = [_held(user, opens), _changed(user)] if user and self.has_view_permission(request, user) else []
        return super().change_view(request, object_id, form_url, {"panels": panels, **(extra_context or {})})

    @admin.display(description=gettext_lazy("access to the site"))
    def site(self, user: User) -> str:
        if roles := without_site(user):
            return badge(_without_site(roles), "warning")
        return _("yes") if user.is_staff and user.is_active else _("no")

    @admin.display(description=gettext_lazy("platform roles"))
    def roles(self, user: User) -> str:
        held = lines(group.name for group in user.groups.all())
        return lines([held, badge(_("no access to the site"), "warning")]) if without_site(user) else held


def _without_site(roles: list[str]) -> str:
    message = _("%(roles)s: of use on the staff site, which this person may not enter. Tick Active and Staff status.")
    return message % {"roles": ", ".join(roles)}


def _held(user: User, opens: bool) -> Panel:
    """Return the panel of the roles of `user`, with links for the person who `opens` organizations."""
    rows, more = first(memberships_of(user))
    named: Any = link if opens else lambda row, text="": text or str(row)
    return Panel(
        _("Roles in organizations"),
        [_("Organization"), _("Role"), _("Since"), _("Granted by")],
        [
            [named(held.organization), named(held, held.get_role_display()), instant(held.granted_at), held.granted_by]
            for held in rows
        ],
        more=list_address(Membership, q=user.get_username()) if more and opens else "",
    )


def _changed(user: User) -> Panel:
    name = user.get_username()
    newest = changes(SHOWN + 1, username=name)
    report = reverse(f"admin:{LogIn._meta.app_label}_{LogIn._meta.model_name}_{PeopleChanges.name}")
    return Panel(
        _("Changes to this person's access"),
        [_("When"), _("Who"), _("Why"), _("Platform role")],
        [[instant(change.at), change.author, why(change.reason), change.role or "-"] for change in newest[:SHOWN]],
        more=report + PeopleChanges.query(person=name) if len(newest) > SHOWN else "",
    )
