"""The tabs of an account's page: what belongs together, read when it is opened."""

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.admin import usage
from billing.admin.account_panels import (
    charges_panel,
    checklist,
    holds_panel,
    notices_panel,
    requests_panel,
    schedule_panel,
    suspensions_panel,
)
from billing.admin.compliance import findings_panel
from billing.models import BillingAccount, BillingAccountBinding
from billing.services.approvals.closures import CLOSABLE
from milo.admin.panels import Panel, first, instant, link, list_address
from milo.admin.tabs import Tab

ARCHIVE = "archive"


def account_tabs(row: BillingAccount) -> list[Tab]:
    """Return the tabs of the page of an account; that of retention only once it is closed."""
    timeline = reverse("admin:billing_billingaccount_timeline", args=[row.pk])
    return [
        Tab("projects", _("Projects"), lambda: [_pays_for(row), _paid_for(row)]),
        Tab("usage", _("Usage"), lambda: usage.panels(row, "service")),
        Tab("charges", _("Charges"), lambda: [charges_panel(row)]),
        Tab("suspensions", _("Suspensions and holds"), lambda: [suspensions_panel(row), holds_panel(row)]),
        Tab("approvals", _("Approval requests"), lambda: [requests_panel(row)]),
        *([Tab("closing", _("Closing"), lambda: checklist(row))] if row.phase in CLOSABLE else []),
        Tab("schedule", _("Next invoices"), lambda: [schedule_panel(row)]),
        Tab("compliance", _("Regional rules"), lambda: [findings_panel(row)]),
        Tab("notices", _("Notices"), lambda: [notices_panel(row.notices.all(), account__id__exact=row.pk)]),
        Tab("timeline", _("Timeline"), address=timeline),
        *([Tab(ARCHIVE, _("Retention"))] if row.closed_at else []),
    ]


def _pays_for(row: BillingAccount) -> Panel:
    bindings = BillingAccountBinding.objects.paying().filter(account=row).select_related("project")
    rows, more = first(bindings.order_by("project__name"))
    return Panel(
        _("Pays for now"),
        [_("Project"), _("Since"), _("Binding")],
        [[link(binding.project), instant(binding.established_at), link(binding)] for binding in rows],
        more=list_address(BillingAccountBinding, account__id__exact=row.pk, phase__exact="Active") if more else "",
    )


def _paid_for(row: BillingAccount) -> Panel:
    bindings = BillingAccountBinding.objects.exclude(ended_at=None).filter(account=row).select_related("project")
    rows, more = first(bindings.order_by("-ended_at"))
    return Panel(
        _("Paid for before"),
        [_("Project"), _("From"), _("Until"), _("End reason"), _("Binding")],
        [
            [
                link(binding.project),
                instant(binding.established_at),
                instant(binding.ended_at),
                binding.end_reason,
                link(binding),
            ]
            for binding in rows
        ],
        more=list_address(BillingAccountBinding, account__id__exact=row.pk) if more else "",
    )
