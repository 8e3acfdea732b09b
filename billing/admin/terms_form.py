"""The form fields of payment terms, for accounts and for requests to revise terms."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.terms.payment_terms import (
    INVOICE_DAYS,
    MAX_GRACE_DAYS,
    MAX_NET_DAYS,
    BusinessDayConvention,
    EarlyPaymentDiscount,
    InvoiceFrequency,
    LatePaymentPenalty,
    PaymentTerms,
)
from milo.admin.forms import ActForm, Fieldsets, Number, Percent, Select, Tick

NOT_YET = ("", gettext_lazy("Not known yet"))
PAIRS = (("discount_percent", "discount_days"), ("penalty_percent", "penalty_grace_days"))

TERMS_FIELDSETS: Fieldsets = (
    (
        gettext_lazy("Payment terms"),
        {
            "fields": (
                ("net_days", "business_day_convention"),
                ("invoice_frequency", "invoice_day_of_month", "anchor_month"),
                ("discount_percent", "discount_days"),
                ("penalty_percent", "penalty_grace_days"),
                "extended_terms_agreed",
            )
        },
    ),
)


class TermsFields(ActForm):
    """The values of payment terms. None is required: an account without a required one becomes Incomplete."""

    net_days = Number(
        required=False,
        min_value=0,
        max_value=MAX_NET_DAYS,
        label=gettext_lazy("Net days"),
        help_text=gettext_lazy("Calendar days from invoice to due date."),
    )
    invoice_frequency = Select(
        required=False, choices=[NOT_YET, *InvoiceFrequency.choices], label=gettext_lazy("Invoice frequency")
    )
    invoice_day_of_month = Number(
        required=False,
        min_value=INVOICE_DAYS[0],
        max_value=INVOICE_DAYS[1],
        label=gettext_lazy("Invoice day of month"),
        help_text=gettext_lazy("1 to 28, the days that every month has."),
    )
    anchor_month = Number(
        required=False,
        min_value=1,
        max_value=12,
        label=gettext_lazy("Anchor month"),
        help_text=gettext_lazy("A month of quarterly and annual invoices; empty: that of the activation."),
    )
    business_day_convention = Select(
        required=False, choices=BusinessDayConvention.choices, label=gettext_lazy("Due date on a weekend")
    )
    discount_percent = Percent(required=False, label=gettext_lazy("Early payment discount, percent"))
    discount_days = Number(
        required=False,
        min_value=0,
        max_value=MAX_NET_DAYS,
        label=gettext_lazy("Early payment discount, days"),
        help_text=gettext_lazy("From the invoice date, inclusive; under the net days."),
    )
    penalty_percent = Percent(required=False, label=gettext_lazy("Late payment penalty, percent a year"))
    penalty_grace_days = Number(
        required=False,
        min_value=0,
        max_value=MAX_GRACE_DAYS,
        label=gettext_lazy("Late payment penalty, grace days"),
        help_text=gettext_lazy("After them every late day counts."),
    )
    extended_terms_agreed = Tick(
        required=False,
        label=gettext_lazy("Extended terms agreed"),
        help_text=gettext_lazy("The parties expressly agreed on more net days than the law allows otherwise."),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for percent, days in PAIRS:
            if values.get(percent) is None and values.get(days) is not None:
                self.add_error(percent, _("must be given with its days"))
        if values.get("discount_percent") is not None and values.get("discount_days") is None:
            self.add_error("discount_days", _("must be given with its percentage"))
        return values


def terms_paths(prefix: str) -> dict[str, str]:
    """Return the form field of each path of payment terms below `prefix`, the path of `paymentTerms` in a manifest."""
    fields = {
        "netDays": "net_days",
        "invoiceFrequency": "invoice_frequency",
        "invoiceDayOfMonth": "invoice_day_of_month",
        "anchorMonth": "anchor_month",
        "businessDayConvention": "business_day_convention",
        "earlyPaymentDiscount": "discount_percent",
        "earlyPaymentDiscount.days": "discount_days",
        "latePaymentPenalty": "penalty_percent",
        "latePaymentPenalty.graceDays": "penalty_grace_days",
        "extendedTermsAgreed": "extended_terms_agreed",
    }
    return {f"{prefix}.{name}": field for name, field in fields.items()} | {prefix: "net_days"}


def terms_of(values: dict[str, Any]) -> PaymentTerms:
    """Return the payment terms of the form's values."""
    discount, penalty = values["discount_percent"], values["penalty_percent"]
    return PaymentTerms(
        values["net_days"],
        values["invoice_frequency"] or None,
        values["invoice_day_of_month"],
        values["anchor_month"],
        values["business_day_convention"] or BusinessDayConvention.NONE,
        None if discount is None else EarlyPaymentDiscount(discount, values["discount_days"]),
        None if penalty is None else LatePaymentPenalty(penalty, values["penalty_grace_days"] or 0),
        values["extended_terms_agreed"],
    )


def initial_terms(terms: PaymentTerms) -> dict[str, Any]:
    """Return the initial values of the form for `terms`."""
    discount, penalty = terms.early_payment_discount, terms.late_payment_penalty
    return {
        "net_days": terms.net_days,
        "invoice_frequency": terms.invoice_frequency,
        "invoice_day_of_month": terms.invoice_day_of_month,
        "anchor_month": terms.anchor_month,
        "business_day_convention": terms.business_day_convention,
        "discount_percent": discount and discount.percent,
        "discount_days": discount and discount.days,
        "penalty_percent": penalty and penalty.annual_rate_percent,
        "penalty_grace_days": penalty and penalty.grace_days,
        "extended_terms_agreed": terms.extended_terms_agreed,
    }
