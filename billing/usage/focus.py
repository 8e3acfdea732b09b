"""Rows of the FinOps Open Cost and Usage Specification 1.2: https://focus.finops.org/focus-specification/v1-2/

Every column that it makes mandatory, and those that say what was consumed and by which project. Nothing is priced here,
so cost and price columns are null, which is an empty cell of a CSV file.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from billing.usage.quantities import plain

COLUMNS = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "SubAccountId",
    "SubAccountName",
)


@dataclass(frozen=True, slots=True)
class Bill:
    """What all rows of an export share: `period` is the first day of the month, `next_period` that of the one after."""

    account_id: str
    account_name: str
    currency: str
    period: date
    next_period: date
    provider: str


@dataclass(frozen=True, slots=True)
class Usage:
    """A day's sum of one project and meter."""

    day: date
    project: str
    project_name: str
    service: str
    meter: str
    unit: str
    quantity: Decimal


def _instant(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def row(bill: Bill, usage: Usage) -> list[str]:
    """The cells of a row, in the order of `COLUMNS`; what belongs to an earlier, closed month is a Correction."""
    cells = {
        "BillingAccountId": bill.account_id,
        "BillingAccountName": bill.account_name,
        "BillingCurrency": bill.currency,
        "BillingPeriodStart": _instant(bill.period),
        "BillingPeriodEnd": _instant(bill.next_period),
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction" if usage.day < bill.period else "",
        "ChargeDescription": usage.meter,
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": _instant(usage.day),
        "ChargePeriodEnd": _instant(usage.day + timedelta(days=1)),
        "ConsumedQuantity": plain(usage.quantity),
        "ConsumedUnit": usage.unit,
        "InvoiceIssuerName": bill.provider,
        "ProviderName": bill.provider,
        "PublisherName": bill.provider,
        "ServiceCategory": "Other",
        "ServiceName": usage.service,
        "SubAccountId": usage.project,
        "SubAccountName": usage.project_name,
    }
    return [cells.get(column, "") for column in COLUMNS]
