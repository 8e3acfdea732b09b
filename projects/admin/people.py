"""The page of a user, with a warning about organizations that a deactivation leaves without a billing-admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import gettext as _

from milo.admin.users import UserAdmin
from projects.services.memberships import without_billing_admin

admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(UserAdmin):
    """Warns of each organization that a deactivation leaves without an active billing-admin."""

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if obj.is_active or "is_active" not in form.changed_data:
            return
        if organizations := without_billing_admin(obj):
            names = ", ".join(organization.name for organization in organizations)
            message = _("No active billing-admin is left in %(organizations)s: grant the role to somebody else.")
            messages.warning(request, message % {"organizations": names})
