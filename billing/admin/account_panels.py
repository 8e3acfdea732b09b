"""Panels of an account's page: suspensions, closure checklist, holds, charges, requests, notices, next invoices."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _

from billing.admin.proposals import summary
from billing.admin.wording import money
from billing.models import ApprovalRequest, BillingAccount, Charge, Hold, Notice, Suspension
from billing.services.payment_schedules import payment_schedule
from milo.admin.panels import Panel, address, day_text, first, instant, lines, link, list_address, pairs

SCHEDULED = 6


def schedule_panel(account: BillingAccount) -> Panel:
    """Return the next 6 invoices under the account's terms; without rows, why there are none."""
    panel = Panel(
        _("Next invoices"),
        [_("Invoice date"), _("From"), _("Until"), _("Due date"), _("Payable by"), _("Discount until")],
        nothing=_("The payment terms are incomplete: revise the account."),
    )
    if account.phase in BillingAccount.READ_ONLY:
        panel.nothing = _("The account is %(phase)s: no more invoices.") % {"phase": account.get_phase_display()}
        return panel
    if payer := account.paid_by:
        panel.nothing = _("%(payer)s is invoiced for %(account)s.") % {"payer": payer, "account": account}
        panel.more, panel.more_title = f"{address(payer)}?tab=schedule", str(payer)
        return panel
    early = account.payment_terms.early_payment_discount
    if not account.payment_terms.missing():
        panel.rows = [
            [
                day_text(it.invoice_date),
                day_text(it.period_start),
                day_text(it.period_end),
                day_text(it.due_date),
                day_text(it.payable_by),
                day_text(it.invoice_date + timedelta(days=early.days)) if early else "-",
            ]
            for it in (payment.invoice for payment in payment_schedule(account, timezone.now().date(), SCHEDULED))
        ]
    return panel


def suspensions_panel(account: BillingAccount, *, resolves: bool = False) -> Panel:
    """Return the latest suspensions with their evidence; an open one with a link for the person who `resolves` it."""
    rows, more = first(Suspension.objects.filter(account=account).order_by("-pk"))
    return Panel(
        _("Suspensions"),
        [_("Reason"), _("Suspended"), _("Message for customers"), _("Internal note"), _("Evidence"), _("Resolved")],
        [
            [
                link(row, row.get_reason_code_display()),
                lines([instant(row.suspended_at), row.suspended_by]),
                row.message,
                row.internal_note or "-",
                pairs(row.evidence or {}),
                lines([instant(row.resolved_at), row.resolved_by]) if row.resolved_at else _open(row, resolves),
            ]
            for row in rows
        ],
        of=Suspension,
        more=list_address(Suspension, account__id__exact=account.pk) if more else "",
    )


def _open(suspension: Suspension, resolves: bool) -> Any:
    if not resolves:
        return "-"
    address = reverse("admin:billing_billingaccount_resolve-suspension", args=[suspension.account_id])
    return format_html(
        '<a href="{}?suspension={}" class="text-link">{}</a>', address, suspension.uid, _("open: resolve")
    )


def holds_panel(account: BillingAccount) -> Panel:
    """Return the latest holds."""
    rows, more = first(Hold.objects.filter(account=account).order_by("-pk"))
    return Panel(
        _("Holds"),
        [
            _("Type"),
            _("Message for customers"),
            _("Internal note"),
            _("Set"),
            _("Released"),
            _("Reason of the release"),
        ],
        [
            [
                link(row, row.get_type_display()),
                row.message or "-",
                row.reason or "-",
                lines([instant(row.set_at), row.set_by]),
                lines([instant(row.released_at), row.released_by]) if row.released_at else "-",
                row.release_reason or "-",
            ]
            for row in rows
        ],
        of=Hold,
        more=list_address(Hold, account__id__exact=account.pk) if more else "",
    )


def charges_panel(account: BillingAccount) -> Panel:
    """Return the charges, the latest due first."""
    rows, more = first(Charge.objects.filter(account=account).order_by("-due_date", "-pk"))
    return Panel(
        _("Charges"),
        [_("External id"), _("Amount"), _("Due date"), _("Settled at"), _("Settlement reference")],
        [
            [
                link(row, row.external_id),
                money(row.amount, row.currency_code),
                day_text(row.due_date),
                instant(row.settled_at),
                row.settlement_reference or "-",
            ]
            for row in rows
        ],
        of=Charge,
        more=list_address(Charge, account__id__exact=account.pk) if more else "",
    )


def requests_panel(account: BillingAccount) -> Panel:
    """Return the latest requests for approval."""
    rows, more = first(ApprovalRequest.objects.filter(account=account).order_by("-pk"))
    return Panel(
        _("Approval requests"),
        [
            _("Action"),
            _("Proposed change"),
            _("Phase"),
            _("Requester"),
            _("Requested at"),
            _("Decider"),
            _("Decided at"),
            _("Comment"),
        ],
        [
            [
                link(row, row.get_act_display()),
                summary(row),
                row.get_phase_display(),
                row.requester,
                instant(row.requested_at),
                row.decider or "-",
                instant(row.decided_at),
                row.comment or "-",
            ]
            for row in rows
        ],
        of=ApprovalRequest,
        more=list_address(ApprovalRequest, account__id__exact=account.pk) if more else "",
    )


def notices_panel(notices: QuerySet[Notice], **filters: Any) -> Panel:
    """Return the latest notices, a row for each recipient; `filters` select the same notices in the list of all."""
    rows, more = first(notices.order_by("-pk"))
    return Panel(
        _("Notices"),
        [_("About"), _("Recipient"), _("Phase"), _("Attempts"), _("Delivered at"), _("Last error")],
        [
            [
                link(row, row.get_about_display()),
                row.recipient,
                row.get_phase_display(),
                row.attempts,
                instant(row.delivered_at),
                row.last_error or "-",
            ]
            for row in rows
        ],
        of=Notice,
        more=list_address(Notice, **filters) if more else "",
    )
