"""The top of an account's page: whose account it is, how it stands, and what is owed on it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Min, Q
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from billing.admin.charges import DUE, OUTSTANDING, OVERDUE
from billing.admin.localized_names import country_name
from billing.admin.wording import money
from billing.models import BillingAccount, Charge
from billing.models.account_phases import VERIFIER_UNAVAILABLE
from billing.models.quantity import ExactSum
from billing.reason_codes import ReasonCode
from milo.admin.messages import refusal_text
from milo.admin.panels import day_text, instant, lines, link, list_address, number_text
from milo.admin.reasons import reason

# their messages say more than the reason does
EXPLAINED = frozenset({"BillingAccountIncomplete", VERIFIER_UNAVAILABLE, *ReasonCode.values})


@dataclass(frozen=True, slots=True)
class AccountHeader:
    """What the page says on top: `title`, badges, and `facts` as pairs of label and value.

    `payer` is a link to the payer of record, "" where that is the account itself.
    """

    title: str
    phase: str
    payer: str
    facts: list[tuple[str, Any]]


def account_header(account: BillingAccount, phase: str, today: date) -> AccountHeader:
    """Return the top of the page of `account`, `phase` being its badge. Two queries at most, one for all charges."""
    payer = account.paid_by
    facts: list[tuple[str, Any]] = [
        (_("Name"), account.name),
        (_("Organization"), link(account.organization)),
        (_("In this phase since"), instant(account.phase_since)),
        (_("Reason"), lines(_reason(account))),
        (_("Currency"), account.currency_code or "-"),
        (_("Payment terms"), _terms(account)),
        (_("Country of the payer"), country_name(account.country) or "-"),
        *_balance(account, today),
    ]
    return AccountHeader(account.display_name or account.name, phase, link(payer) if payer else "", facts)


def _reason(account: BillingAccount) -> list[str]:
    message = refusal_text(account.phase_message) if account.phase_reason in EXPLAINED else ""
    return [reason(account.phase_reason), *([message] if message else [])]


def _terms(account: BillingAccount) -> str:
    if account.net_days is None or not account.invoice_frequency:
        return _("those of the payer of record") if account.paid_by_id else "-"
    frequency = account.get_invoice_frequency_display()
    return _("%(frequency)s, net days: %(days)d") % {"frequency": frequency, "days": account.net_days}


def _balance(account: BillingAccount, today: date) -> list[tuple[str, Any]]:
    """Return outstanding and overdue charges, summed by currency: amounts of two currencies have no sum."""
    overdue = Q(due_date__lt=today)
    sums = list(
        Charge.objects.filter(account=account)
        .unsettled()
        .order_by()
        .values("currency_code")
        .annotate(
            count=Count("pk"),
            total=ExactSum("amount"),
            late=Count("pk", filter=overdue),
            late_total=ExactSum("amount", filter=overdue),
            late_since=Min("due_date", filter=overdue),
        )
        .order_by("currency_code")
    )
    outstanding = [_of(each["count"], each["total"], each["currency_code"]) for each in sums]
    late = [each for each in sums if each["late"]]
    texts = [_of(each["late"], each["late_total"], each["currency_code"]) for each in late]
    oldest = min((each["late_since"] for each in late), default=None)
    if oldest:
        texts.append(_("the oldest was due on %(day)s") % {"day": day_text(oldest)})
    return [
        (_("Outstanding charges"), _listed(account, OUTSTANDING, outstanding)),
        (_("Overdue charges"), _listed(account, OVERDUE, texts)),
    ]


def _of(count: int, total: Decimal, currency_code: str) -> str:
    texts = {"amount": money(total, currency_code), "count": number_text(count)}
    return _("%(amount)s (charges: %(count)s)") % texts


def _listed(account: BillingAccount, due: str, texts: list[str]) -> SafeString | str:
    """Return the texts as a link to the charges that they sum up."""
    if not texts:
        return _("none")
    page = list_address(Charge, account__id__exact=account.pk, **{DUE: due})
    return format_html('<a href="{}" class="text-link">{}</a>', page, lines(texts))
