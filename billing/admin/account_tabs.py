"""The tabs of an account's page: what belongs together, read when it is opened."""

from datetime import date
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.admin import usage
from billing.admin.account_panels import (
    charges_panel,
    holds_panel,
    notices_panel,
    requests_panel,
    schedule_panel,
    suspensions_panel,
)
from billing.admin.account_tree import affiliations_panels, tree_context
from billing.admin.blockers import checklist
from billing.admin.compliance import findings_panel
from billing.admin.suspension_actions import ResolveSuspension
from billing.admin.wording import and_more
from billing.models import BillingAccount, BillingAccountAffiliation, BillingAccountBinding
from billing.services.affiliations.scopes import OWN, PAID, SUBTREE, projects_of_scope
from billing.services.approvals.closures import CLOSABLE
from milo.admin.actors import request_actor
from milo.admin.panels import Panel, address, first, instant, link, list_address
from milo.admin.reasons import reason
from milo.admin.tabs import TAB, Tab, TabLink

ARCHIVE = "archive"
SCOPES_TEMPLATE = "billing/admin/scopes.html"
SHOWN_OF_SCOPE = 100


def account_tabs(request: HttpRequest, row: BillingAccount) -> list[Tab]:
    """Return the tabs of the page of an account; that of retention only once it is closed."""
    scope, month = usage.scope_of(request), usage.month_of(request)

    def closing() -> list[Panel]:
        return checklist(row, actor=request_actor(request))

    def suspensions() -> list[Panel]:
        resolves = ResolveSuspension.allowed(request_actor(request), row.organization_id)
        return [suspensions_panel(row, resolves=resolves), holds_panel(row)]

    timeline = reverse("admin:billing_billingaccount_timeline", args=[row.pk])
    return [
        Tab(
            "projects",
            _("Projects"),
            lambda: _projects(row, scope),
            template=SCOPES_TEMPLATE,
            context=partial(scopes, row, "projects", scope),
        ),
        Tab(
            "usage",
            _("Usage"),
            lambda: _usage(row, scope, month),
            template=SCOPES_TEMPLATE,
            context=lambda: scopes(row, "usage", scope, month) | usage.month_form(row, scope, month),
        ),
        Tab(
            "hierarchy",
            _("Accounts above and below"),
            lambda: affiliations_panels(row),
            template="billing/admin/tree.html",
            context=partial(tree_context, row),
        ),
        Tab("charges", _("Charges"), lambda: [charges_panel(row)]),
        Tab("suspensions", _("Suspensions and holds"), suspensions),
        Tab("approvals", _("Approval requests"), lambda: [requests_panel(row)]),
        *([Tab("closing", _("Closing"), closing)] if row.phase in CLOSABLE else []),
        Tab("schedule", _("Next invoices"), lambda: [schedule_panel(row)]),
        Tab("compliance", _("Regional rules"), lambda: [findings_panel(row)]),
        Tab("notices", _("Notices"), lambda: [notices_panel(row.notices.all(), account__id__exact=row.pk)]),
        Tab("timeline", _("Timeline"), address=timeline),
        *([Tab(ARCHIVE, _("Retention"))] if row.closed_at else []),
    ]


def scopes(row: BillingAccount, tab: str, scope: str, month: date | None = None) -> dict[str, Any]:
    """Return the choice of whose projects or usage a tab shows; none for an account that was never affiliated."""
    concerned = BillingAccountAffiliation.objects.facts().filter(Q(account=row) | Q(parent=row))
    if not concerned.exists():
        return {}
    titles = {OWN: _("its own"), PAID: _("all that it is invoiced for"), SUBTREE: _("its own and all below")}
    page, months = address(row), {usage.MONTH: f"{month:%Y-%m}"} if month else {}
    return {
        "scopes": [
            TabLink(title, f"{page}?{urlencode({TAB: tab, usage.SCOPE: name, **months})}", name == scope)
            for name, title in titles.items()
        ]
    }


def _projects(row: BillingAccount, scope: str) -> list[Panel]:
    return [_pays_for(row), _paid_for(row)] if scope == OWN else [_pays_for_others(row, scope)]


def _usage(row: BillingAccount, scope: str, month: date | None) -> list[Panel]:
    days = {"days": usage.DAYS}
    nothing = _("No usage in this month") if month else _("No usage in the last %(days)d days") % days
    return usage.panels(row, "service", scope, month) or [Panel(nothing, [])]


def _pays_for_others(row: BillingAccount, scope: str) -> Panel:
    """Return the projects that the accounts of a scope pay for now."""
    bindings = projects_of_scope(row, timezone.now(), scope)
    rows = [
        [link(binding.project), link(binding.account), instant(binding.established_at), link(binding)]
        for binding in bindings[:SHOWN_OF_SCOPE]
    ]
    if len(bindings) > SHOWN_OF_SCOPE:
        rows.append([and_more(len(bindings) - SHOWN_OF_SCOPE), "", "", ""])
    return Panel(_("Pay for now"), [_("Project"), _("Billing account"), _("Since"), _("Binding")], rows)


def _pays_for(row: BillingAccount) -> Panel:
    bindings = BillingAccountBinding.objects.paying().filter(account=row).select_related("project")
    rows, more = first(bindings.order_by("project__name"))
    return Panel(
        _("Pays for now"),
        [_("Project"), _("Since"), _("Binding")],
        [[link(binding.project), instant(binding.established_at), link(binding)] for binding in rows],
        of=BillingAccountBinding,
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
                reason(binding.end_reason),
                link(binding),
            ]
            for binding in rows
        ],
        of=BillingAccountBinding,
        more=list_address(BillingAccountBinding, account__id__exact=row.pk) if more else "",
    )
