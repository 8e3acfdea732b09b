"""Payment terms of an account (docs/compliance.md, "Conventions")."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from milo.errors import Cause

FIELD = "spec.paymentTerms"
FIELDS = {
    "netDays": "net_days",
    "invoiceFrequency": "invoice_frequency",
    "invoiceDayOfMonth": "invoice_day_of_month",
    "anchorMonth": "anchor_month",
    "businessDayConvention": "business_day_convention",
    "extendedTermsAgreed": "extended_terms_agreed",
}
"""Field names in the manifest, with their attributes; discount and penalty are objects of their own."""
MAX_NET_DAYS = 365
MAX_GRACE_DAYS = 365
INVOICE_DAYS = (1, 28)
# no contract states more decimal places; more are probably a mistake of the unit
PERCENT_PLACES = 4


class InvoiceFrequency(models.TextChoices):
    MONTHLY = "Monthly", gettext_lazy("Monthly")
    QUARTERLY = "Quarterly", gettext_lazy("Quarterly")
    ANNUAL = "Annual", gettext_lazy("Annual")


class BusinessDayConvention(models.TextChoices):
    """When a due date on a weekend is payable. The names are those of ISDA; public holidays are not considered."""

    NONE = "NONE", gettext_lazy("On the due date itself")
    FOLLOWING = "FOLLOWING", gettext_lazy("On the next business day")
    MODIFIED_FOLLOWING = (
        "MODIFIED_FOLLOWING",
        gettext_lazy("On the next business day of the month, else the one before"),
    )
    PRECEDING = "PRECEDING", gettext_lazy("On the business day before")


@dataclass(frozen=True, slots=True)
class EarlyPaymentDiscount:
    """A discount of `percent` of the invoiced amount for payment within `days` after the invoice date, inclusive."""

    percent: Decimal
    days: int

    def as_json(self) -> dict[str, Any]:
        """Return the discount as in a manifest, the percentage in a string."""
        return {"percent": _plain(self.percent), "days": self.days}

    def causes(self, net_days: int | None, path: str) -> Iterator[Cause]:
        """Yield every fault. Required are 0 < percent < 100 and 0 <= days < net days, if these are known."""
        if not _is_percentage(self.percent) or not 0 < self.percent < 100:
            message = _("must be over 0 and under 100, with at most %(places)d decimal places")
            yield Cause(f"{path}.percent", message % {"places": PERCENT_PLACES})
        if self.days < 0 or (net_days is not None and self.days >= net_days):
            yield Cause(f"{path}.days", _("must be at least 0 and under netDays"))


@dataclass(frozen=True, slots=True)
class LatePaymentPenalty:
    """Simple interest, in percent a year, on a payment that is more than `grace_days` late."""

    annual_rate_percent: Decimal
    grace_days: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the penalty as in a manifest, the percentage in a string."""
        return {"annualRatePercent": _plain(self.annual_rate_percent), "graceDays": self.grace_days}

    def asks_less_than(self, other: "LatePaymentPenalty") -> bool:
        """Return whether a late payer can owe less than under `other`: by a lower rate, or by more grace days."""
        return self.annual_rate_percent < other.annual_rate_percent or self.grace_days > other.grace_days

    def causes(self, path: str) -> Iterator[Cause]:
        """Yield every fault. Required are 0 < rate <= 100 and 0 <= grace days <= 365."""
        if not _is_percentage(self.annual_rate_percent) or not 0 < self.annual_rate_percent <= 100:
            message = _("must be over 0 and at most 100, with at most %(places)d decimal places")
            yield Cause(f"{path}.annualRatePercent", message % {"places": PERCENT_PLACES})
        if not 0 <= self.grace_days <= MAX_GRACE_DAYS:
            yield Cause(f"{path}.graceDays", _("must be between 0 and %(most)d") % {"most": MAX_GRACE_DAYS})


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """The payment terms of an account; a field is None while unknown. Days are calendar days.

    `anchor_month` (1 to 12) is a month with a quarterly or annual invoice. `extended_terms_agreed` records that the
    parties expressly agreed to more net days than the statutory default.
    """

    net_days: int | None = None
    invoice_frequency: str | None = None
    invoice_day_of_month: int | None = None
    anchor_month: int | None = None
    business_day_convention: str = BusinessDayConvention.NONE
    early_payment_discount: EarlyPaymentDiscount | None = None
    late_payment_penalty: LatePaymentPenalty | None = None
    extended_terms_agreed: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the terms as in a manifest; missing fields and defaults are left out."""
        defaults = PaymentTerms()
        fields = {
            name: getattr(self, attribute)
            for name, attribute in FIELDS.items()
            if getattr(self, attribute) != getattr(defaults, attribute)
        }
        if self.early_payment_discount is not None:
            fields["earlyPaymentDiscount"] = self.early_payment_discount.as_json()
        if self.late_payment_penalty is not None:
            fields["latePaymentPenalty"] = self.late_payment_penalty.as_json()
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "PaymentTerms":
        """Return the terms of which `as_json` returned `fields`."""
        discount, penalty = fields.get("earlyPaymentDiscount"), fields.get("latePaymentPenalty")
        return cls(
            **{attribute: fields[name] for name, attribute in FIELDS.items() if name in fields},
            early_payment_discount=discount and EarlyPaymentDiscount(Decimal(discount["percent"]), discount["days"]),
            late_payment_penalty=penalty
            and LatePaymentPenalty(Decimal(penalty["annualRatePercent"]), penalty["graceDays"]),
        )

    def causes(self) -> list[Cause]:
        """Return every fault of the fields that are present; a missing one is none (see `missing`)."""
        causes = list(self._causes())
        if self.early_payment_discount is not None:
            causes += self.early_payment_discount.causes(self.net_days, f"{FIELD}.earlyPaymentDiscount")
        if self.late_payment_penalty is not None:
            causes += self.late_payment_penalty.causes(f"{FIELD}.latePaymentPenalty")
        return causes

    def _causes(self) -> Iterator[Cause]:
        if self.net_days is not None and not 0 <= self.net_days <= MAX_NET_DAYS:
            yield Cause(f"{FIELD}.netDays", _("must be between 0 and %(most)d") % {"most": MAX_NET_DAYS})
        if self.invoice_frequency is not None and self.invoice_frequency not in InvoiceFrequency.values:
            yield _not_supported(f"{FIELD}.invoiceFrequency", InvoiceFrequency.values)
        low, high = INVOICE_DAYS
        if self.invoice_day_of_month is not None and not low <= self.invoice_day_of_month <= high:
            yield Cause(f"{FIELD}.invoiceDayOfMonth", _("must be between 1 and 28"))
        if self.anchor_month is not None and not 1 <= self.anchor_month <= 12:
            yield Cause(f"{FIELD}.anchorMonth", _("must be between 1 and 12"))
        if self.business_day_convention not in BusinessDayConvention.values:
            yield _not_supported(f"{FIELD}.businessDayConvention", BusinessDayConvention.values)

    def missing(self) -> list[Cause]:
        """Return a cause for each missing field without which an account cannot be Ready."""
        required = {
            "netDays": self.net_days,
            "invoiceFrequency": self.invoice_frequency,
            "invoiceDayOfMonth": self.invoice_day_of_month,
        }
        return [Cause.required(f"{FIELD}.{name}") for name, value in required.items() if value is None]

    @property
    def needs_anchor(self) -> bool:
        """Return whether the frequency needs an anchor month: Quarterly and Annual do."""
        return self.invoice_frequency in (InvoiceFrequency.QUARTERLY, InvoiceFrequency.ANNUAL)

    def anchored(self, activation: date) -> "PaymentTerms":
        """Return the terms with the month of `activation` as anchor month, if they need one and name none.

        Stored when an account first becomes Ready, so that its invoice months never move.
        """
        return replace(self, anchor_month=activation.month) if self.needs_anchor and not self.anchor_month else self

    def waives_penalty_of(self, before: "PaymentTerms") -> bool:
        """Return whether a late payer can owe less than under the terms `before`."""
        old, new = before.late_payment_penalty, self.late_payment_penalty
        return old is not None and (new is None or new.asks_less_than(old))


def _is_percentage(value: Decimal) -> bool:
    return value.is_finite() and abs(value) <= 100 and value == round(value, PERCENT_PLACES)


def _plain(percent: Decimal) -> str:
    """Return a percentage as text, without an exponent and without the padding zeros of its column."""
    return f"{percent.normalize():f}"


def _not_supported(path: str, known: list[str]) -> Cause:
    return Cause(path, _("must be one of %(known)s") % {"known": ", ".join(known)}, "FieldValueNotSupported")
