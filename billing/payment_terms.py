"""Payment terms of an account (enhancement.md, "Payment Terms Structure")."""

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from milo.errors import Cause

FIELD = "spec.paymentTerms"
MAX_NET_DAYS = 365
INVOICE_DAYS = (1, 28)


class InvoiceFrequency(models.TextChoices):
    MONTHLY = "Monthly", gettext_lazy("Monthly")
    QUARTERLY = "Quarterly", gettext_lazy("Quarterly")
    ANNUAL = "Annual", gettext_lazy("Annual")


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """Terms as given; None where a field is missing still. `net_days` are calendar days."""

    net_days: int | None = None
    invoice_frequency: str | None = None
    invoice_day_of_month: int | None = None

    def causes(self) -> list[Cause]:
        """Every fault of the fields that are given."""
        found = []
        if self.net_days is not None and not 0 <= self.net_days <= MAX_NET_DAYS:
            found.append(Cause(f"{FIELD}.netDays", _("must be between 0 and %(most)d") % {"most": MAX_NET_DAYS}))
        if self.invoice_frequency is not None and self.invoice_frequency not in InvoiceFrequency.values:
            message = _("must be one of %(known)s") % {"known": ", ".join(InvoiceFrequency.values)}
            found.append(Cause(f"{FIELD}.invoiceFrequency", message, "FieldValueNotSupported"))
        low, high = INVOICE_DAYS
        if self.invoice_day_of_month is not None and not low <= self.invoice_day_of_month <= high:
            found.append(Cause(f"{FIELD}.invoiceDayOfMonth", _("must be between 1 and 28")))
        return found

    def missing(self) -> list[Cause]:
        """A cause for each field that an account needs before it can be Ready."""
        given = {
            "netDays": self.net_days,
            "invoiceFrequency": self.invoice_frequency,
            "invoiceDayOfMonth": self.invoice_day_of_month,
        }
        return [Cause.required(f"{FIELD}.{name}") for name, value in given.items() if value is None]
