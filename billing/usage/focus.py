"""Rows of an export in FOCUS, the FinOps Open Cost and Usage Specification 1.2.

https://focus.finops.org/focus-specification/v1-2/. An export has every mandatory and recommended column, and the
conditional columns whose condition holds here. Milo sets no prices, so the four costs are null, which the specification
does not allow; docs/decisions/0055-focus.md says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from billing.usage.focus_units import focus_unit
from billing.usage.quantities import plain

Value = str | Decimal | datetime | None


class Level(StrEnum):
    """Whether an export has the column: it must, it should, it must if its condition holds, or it is one of ours."""

    MANDATORY = "Mandatory"
    RECOMMENDED = "Recommended"
    CONDITIONAL = "Conditional"
    CUSTOM = "Custom"


class Type(StrEnum):
    """The type of a cell: an instant in UTC, a decimal, or text."""

    DATE_TIME = "Date/Time"
    DECIMAL = "Decimal"
    STRING = "String"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the specification. `values` are the allowed values, any if empty."""

    level: Level
    type: Type
    nullable: bool = False
    values: tuple[str, ...] = ()


# Levels as in the requirements model 1.2.0.1 (rules CostAndUsage-D-003 to D-068), content constraints as in
# specification/columns of github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec at 1.2; read on 2026-11-27.
# In alphabetical order, as the specification lists them.
COLUMNS = {
    "BilledCost": Column(Level.MANDATORY, Type.DECIMAL),
    "BillingAccountId": Column(Level.MANDATORY, Type.STRING),
    "BillingAccountName": Column(Level.MANDATORY, Type.STRING, nullable=True),
    "BillingAccountType": Column(Level.CONDITIONAL, Type.STRING),
    "BillingCurrency": Column(Level.MANDATORY, Type.STRING),
    "BillingPeriodEnd": Column(Level.MANDATORY, Type.DATE_TIME),
    "BillingPeriodStart": Column(Level.MANDATORY, Type.DATE_TIME),
    "ChargeCategory": Column(
        Level.MANDATORY, Type.STRING, values=("Usage", "Purchase", "Tax", "Credit", "Adjustment")
    ),
    "ChargeClass": Column(Level.MANDATORY, Type.STRING, nullable=True, values=("Correction",)),
    "ChargeDescription": Column(Level.MANDATORY, Type.STRING, nullable=True),
    "ChargeFrequency": Column(Level.RECOMMENDED, Type.STRING, values=("One-Time", "Recurring", "Usage-Based")),
    "ChargePeriodEnd": Column(Level.MANDATORY, Type.DATE_TIME),
    "ChargePeriodStart": Column(Level.MANDATORY, Type.DATE_TIME),
    "ConsumedQuantity": Column(Level.CONDITIONAL, Type.DECIMAL, nullable=True),
    "ConsumedUnit": Column(Level.CONDITIONAL, Type.STRING, nullable=True),
    "ContractedCost": Column(Level.MANDATORY, Type.DECIMAL),
    "EffectiveCost": Column(Level.MANDATORY, Type.DECIMAL),
    "InvoiceId": Column(Level.RECOMMENDED, Type.STRING, nullable=True),
    "InvoiceIssuerName": Column(Level.MANDATORY, Type.STRING),
    "ListCost": Column(Level.MANDATORY, Type.DECIMAL),
    "PricingQuantity": Column(Level.MANDATORY, Type.DECIMAL, nullable=True),
    "PricingUnit": Column(Level.MANDATORY, Type.STRING, nullable=True),
    "ProviderName": Column(Level.MANDATORY, Type.STRING),
    "PublisherName": Column(Level.MANDATORY, Type.STRING),
    "ServiceCategory": Column(
        Level.MANDATORY,
        Type.STRING,
        values=(
            "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools",
            "Multicloud", "Identity", "Integration", "Internet of Things", "Management and Governance", "Media",
            "Migration", "Mobile", "Networking", "Security", "Storage", "Web", "Other",
        ),
    ),
    "ServiceName": Column(Level.MANDATORY, Type.STRING),
    # the one value that belongs to the category Other
    "ServiceSubcategory": Column(Level.RECOMMENDED, Type.STRING, values=("Other (Other)",)),
    "SubAccountId": Column(Level.CONDITIONAL, Type.STRING, nullable=True),
    "SubAccountName": Column(Level.CONDITIONAL, Type.STRING, nullable=True),
    "SubAccountType": Column(Level.CONDITIONAL, Type.STRING, nullable=True),
}  # fmt: skip
# custom columns begin with x_ and come after those of the specification
CHILDREN = {
    "x_ChildAccountId": Column(Level.CUSTOM, Type.STRING),
    "x_ChildAccountName": Column(Level.CUSTOM, Type.STRING),
}
SHOWBACK = {"x_Showback": Column(Level.CUSTOM, Type.STRING, values=("true",))}


@dataclass(frozen=True, slots=True)
class Bill:
    """What all rows of an export share; `period` is the first day of the month, `next_period` that of the next."""

    account_id: str
    account_name: str
    currency: str
    period: date
    next_period: date
    provider: str
    columns: Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Usage:
    """The sum of one project and meter on a day (UTC), in `unit`, a UCUM code.

    `account_id` and `account_name` are those of the account that the project was bound to, where the bill shows them.
    """

    day: date
    project: str
    project_name: str
    service: str
    meter: str
    unit: str
    quantity: Decimal
    account_id: str = ""
    account_name: str = ""


@lru_cache(100)
def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def row(bill: Bill, usage: Usage) -> list[Value]:
    """Return the values of a row, one for each column of the bill. Usage of an earlier month is a Correction."""
    unit, start = focus_unit(usage.unit), _midnight(usage.day)
    values: dict[str, Value] = {
        "BillingAccountId": bill.account_id,
        "BillingAccountName": bill.account_name,
        "BillingAccountType": "Billing Account",
        "BillingCurrency": bill.currency,
        "BillingPeriodStart": _midnight(bill.period),
        "BillingPeriodEnd": _midnight(bill.next_period),
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction" if usage.day < bill.period else None,
        "ChargeDescription": usage.meter,
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": start,
        "ChargePeriodEnd": start + timedelta(days=1),
        "ConsumedQuantity": usage.quantity,
        "ConsumedUnit": unit,
        "InvoiceIssuerName": bill.provider,
        "PricingQuantity": usage.quantity,
        "PricingUnit": unit,
        "ProviderName": bill.provider,
        "PublisherName": bill.provider,
        "ServiceCategory": "Other",
        "ServiceName": usage.service,
        "ServiceSubcategory": "Other (Other)",
        "SubAccountId": usage.project,
        "SubAccountName": usage.project_name,
        "SubAccountType": "Project",
        "x_ChildAccountId": usage.account_id,
        "x_ChildAccountName": usage.account_name,
        "x_Showback": "true",
    }
    return [values.get(column) for column in bill.columns]


def text(value: Value) -> str:
    """Return the CSV text of a value, by the FOCUS attributes DateTimeFormat, NumericFormat and NullHandling."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return plain(value) if isinstance(value, Decimal) else f"{value:%Y-%m-%dT%H:%M:%SZ}"
