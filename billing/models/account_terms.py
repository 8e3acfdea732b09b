"""Columns of an account's payment terms."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from billing.terms.payment_terms import (
    BusinessDayConvention,
    EarlyPaymentDiscount,
    InvoiceFrequency,
    LatePaymentPenalty,
    PaymentTerms,
)
from milo.decimals import ExactDecimalField


class TermsColumns(models.Model):
    """The columns of `spec.paymentTerms`, one for each value."""

    net_days = models.PositiveSmallIntegerField(gettext_lazy("net days"), null=True, blank=True)
    invoice_frequency = models.CharField(
        gettext_lazy("invoice frequency"), max_length=10, choices=InvoiceFrequency.choices, blank=True
    )
    invoice_day_of_month = models.PositiveSmallIntegerField(gettext_lazy("invoice day of month"), null=True, blank=True)
    anchor_month = models.PositiveSmallIntegerField(gettext_lazy("anchor month"), null=True, blank=True)
    business_day_convention = models.CharField(
        gettext_lazy("business day convention"),
        max_length=20,
        choices=BusinessDayConvention.choices,
        default=BusinessDayConvention.NONE,
    )
    discount_percent = ExactDecimalField(
        gettext_lazy("early payment discount, percent"), max_digits=7, decimal_places=4, null=True, blank=True
    )
    discount_days = models.PositiveSmallIntegerField(
        gettext_lazy("early payment discount, days"), null=True, blank=True
    )
    penalty_percent = ExactDecimalField(
        gettext_lazy("late payment penalty, percent a year"), max_digits=7, decimal_places=4, null=True, blank=True
    )
    penalty_grace_days = models.PositiveSmallIntegerField(
        gettext_lazy("late payment penalty, grace days"), null=True, blank=True
    )
    extended_terms_agreed = models.BooleanField(gettext_lazy("extended terms agreed"), default=False)

    class Meta:
        abstract = True

    @property
    def payment_terms(self) -> PaymentTerms:
        """The columns as one value; setting it replaces them all."""
        discount = penalty = None
        if self.discount_percent is not None and self.discount_days is not None:
            discount = EarlyPaymentDiscount(self.discount_percent, self.discount_days)
        if self.penalty_percent is not None and self.penalty_grace_days is not None:
            penalty = LatePaymentPenalty(self.penalty_percent, self.penalty_grace_days)
        return PaymentTerms(
            self.net_days,
            self.invoice_frequency or None,
            self.invoice_day_of_month,
            self.anchor_month,
            self.business_day_convention,
            discount,
            penalty,
            self.extended_terms_agreed,
        )

    @payment_terms.setter
    def payment_terms(self, terms: PaymentTerms) -> None:
        self.net_days = terms.net_days
        self.invoice_frequency = terms.invoice_frequency or ""
        self.invoice_day_of_month = terms.invoice_day_of_month
        self.anchor_month = terms.anchor_month
        self.business_day_convention = terms.business_day_convention
        discount, penalty = terms.early_payment_discount, terms.late_payment_penalty
        self.discount_percent = discount.percent if discount else None
        self.discount_days = discount.days if discount else None
        self.penalty_percent = penalty.annual_rate_percent if penalty else None
        self.penalty_grace_days = penalty.grace_days if penalty else None
        self.extended_terms_agreed = terms.extended_terms_agreed


TERMS_CONSTRAINTS = [
    # days 29 to 31 do not exist in every month
    models.CheckConstraint(
        condition=Q(invoice_day_of_month=None) | Q(invoice_day_of_month__range=(1, 28)),
        name="account_invoice_day_1_to_28",
    ),
    models.CheckConstraint(condition=Q(net_days=None) | Q(net_days__range=(0, 365)), name="account_net_days_0_to_365"),
    models.CheckConstraint(
        condition=Q(anchor_month=None) | Q(anchor_month__range=(1, 12)), name="account_anchor_month_1_to_12"
    ),
    # an unknown convention would move due dates by no rule
    models.CheckConstraint(
        condition=Q(business_day_convention__in=BusinessDayConvention.values),
        name="account_known_business_day_convention",
    ),
    # an invoice cannot state half a discount, and one that lasts to the due date is not for early payment
    models.CheckConstraint(
        condition=Q(discount_percent=None, discount_days=None)
        | (
            Q(discount_percent__isnull=False, discount_days__isnull=False)
            & Q(discount_percent__gt=0, discount_percent__lt=100, discount_days__gte=0)
            & (Q(net_days=None) | Q(discount_days__lt=F("net_days")))
        ),
        name="account_discount_whole",
    ),
    models.CheckConstraint(
        condition=Q(penalty_percent=None, penalty_grace_days=None)
        | Q(penalty_percent__isnull=False, penalty_grace_days__isnull=False)
        & Q(penalty_percent__gt=0, penalty_percent__lte=100, penalty_grace_days__range=(0, 365)),
        name="account_penalty_whole",
    ),
]
