"""Who holds which role in which organization; granted on the organization's page."""

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter

from milo.admin.ledger import LedgerAdmin
from projects.access import ORGANIZATIONS
from projects.models import Membership


@admin.register(Membership)
class MembershipAdmin(LedgerAdmin):
    resource = ORGANIZATIONS
    icon = "group"
    list_display = ("user", "organization", "role")
    list_filter = (("organization", AutocompleteSelectFilter), ("role", ChoicesDropdownFilter))
    list_select_related = ("user", "organization")
    search_fields = ("user__username", "organization__name")
    ordering = ("organization__name", "user__username", "role")
    fieldsets = ((None, {"fields": ("user", "organization", "role")}),)
