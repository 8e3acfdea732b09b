"""The read-only list and page of bindings; a project's page creates new ones."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.access import BINDINGS
from billing.admin.binding_filters import AffiliationFilter
from billing.models import BillingAccountBinding
from milo.admin.ledger import LedgerAdmin
from milo.admin.panels import link
from milo.admin.reasons import reason
from milo.admin.related_filters import RelatedFilter
from milo.admin.resources import METADATA


@admin.register(BillingAccountBinding)
class BillingAccountBindingAdmin(LedgerAdmin):
    resource = BINDINGS
    icon = "link"
    nothing_yet = gettext_lazy("A project is bound to an account by a button on its page.")
    phase_colors = {"Active": "success"}
    list_display = (
        "name",
        "project_link",
        "account_link",
        "phase_badge",
        "established_at",
        "ended_at",
        "organization_link",
    )
    list_filter = (
        ("organization", RelatedFilter),
        ("account", RelatedFilter),
        ("project", RelatedFilter),
        ("phase", ChoicesDropdownFilter),
        AffiliationFilter,
    )
    list_select_related = ("project", "account", "organization")
    search_fields = ("name", "project__name", "account__name", "uid")
    ordering = ("-established_at",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "project_link",
                    "account_link",
                    "organization_link",
                    "phase_badge",
                    "established_at",
                    "ended_at",
                    "ended_for",
                    "supersedes_link",
                    "superseded_by_link",
                )
            },
        ),
        METADATA,
    )

    @admin.display(description=gettext_lazy("project"), ordering="project__name")
    def project_link(self, row: BillingAccountBinding) -> str:
        return link(row.project)

    @admin.display(description=gettext_lazy("billing account"), ordering="account__name")
    def account_link(self, row: BillingAccountBinding) -> str:
        return link(row.account)

    @admin.display(description=gettext_lazy("organization"), ordering="organization__name")
    def organization_link(self, row: BillingAccountBinding) -> str:
        return link(row.organization)

    @admin.display(description=gettext_lazy("end reason"))
    def ended_for(self, row: BillingAccountBinding) -> str:
        return reason(row.end_reason)

    @admin.display(description=gettext_lazy("supersedes"))
    def supersedes_link(self, row: BillingAccountBinding) -> str:
        return link(row.supersedes)

    @admin.display(description=gettext_lazy("superseded by"))
    def superseded_by_link(self, row: Any) -> str:
        return link(getattr(row, "superseded_by", None))
