"""The next invoices of an account by its payment terms, as an invoicing system would write them."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial

from django.utils import timezone
from django.utils.translation import gettext as _

from billing.compliance.dataset import data
from billing.models import BillingAccount
from billing.terms.payment_amounts import Discount, LateInterest, discount, is_payable, late_interest
from billing.terms.payment_schedule import ScheduledInvoice, schedule
from milo.errors import Cause, Invalid

MAX_COUNT = 100


@dataclass(frozen=True, slots=True)
class ScheduledPayment:
    """A future invoice, with its discount for early payment and its interest for late payment, given an amount."""

    invoice: ScheduledInvoice
    discount: Discount | None = None
    late_interest: LateInterest | None = None


def payment_schedule(
    account: BillingAccount, after: date, count: int, amount: Decimal | None = None, paid_on: date | None = None
) -> list[ScheduledPayment]:
    """Return the next `count` (1 to 100) invoices after the day `after`, fewer at the end of the calendar.

    Payment days follow the weekend of the account's country. With `amount`, in the account's currency, each invoice has
    its discount, unless `paid_on` is past the deadline; with `paid_on` as well, the interest due on that day. Terms of
    an account that was never Ready count from today (UTC). Raises `Invalid` for a count out of range, an amount that is
    not in whole minor units, `paid_on` without an amount, and for an account without complete terms or currency.
    """
    terms = account.payment_terms.anchored((account.first_ready_at or timezone.now()).date())
    causes = terms.missing()
    if not 1 <= count <= MAX_COUNT:
        causes.append(Cause("query.count", _("must be between 1 and %(most)d") % {"most": MAX_COUNT}))
    if paid_on is not None and amount is None:
        causes.append(Cause.required("query.amount", _("is required with paidOn")))
    if amount is not None and not account.currency_code:
        causes.append(Cause.required("spec.currencyCode"))
    elif amount is not None and not is_payable(amount, account.currency_code):
        message = _("must be in whole minor units of %(code)s, with at most 15 digits before the point")
        causes.append(Cause("query.amount", message % {"code": account.currency_code}))
    if causes:
        raise Invalid.because(causes)
    invoices = schedule(terms, after, count, partial(data().is_weekend, account.country))
    if amount is None:
        return [ScheduledPayment(invoice) for invoice in invoices]
    early, late, code = terms.early_payment_discount, terms.late_payment_penalty, account.currency_code
    return [
        ScheduledPayment(
            invoice,
            discount(early, amount, code, invoice.invoice_date, paid_on=paid_on) if early else None,
            late_interest(late, amount, code, invoice.payable_by, paid_on) if late and paid_on else None,
        )
        for invoice in invoices
    ]
