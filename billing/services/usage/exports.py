"""Read the bill of an account for a month in pages, so that no export is whole in memory."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.db.models import Q

from billing.models import BillingAccount, UsageRollup
from billing.models.usage_partitions import next_month
from billing.models.usage_rollup import DAY
from billing.usage.focus import CHILDREN, COLUMNS, Bill, Column, Usage

PAGE = 5_000
_VALUES = (
    "starts_on",
    "project__name",
    "project__display_name",
    "meter__service",
    "meter__name",
    "meter__unit",
    "quantity",
)
_ACCOUNT = ("account__organization__name", "account__name", "account__display_name")
Selection = Sequence[Q]
"""Conditions of the sums of a bill, none of which selects a sum of another; they are read one after another."""
Cursor = tuple[int, int]
"""The number of a condition, and the primary key of the last row read."""
BEGINNING: Cursor = (0, 0)


def bill_of(account: BillingAccount, period: date, more: Mapping[str, Column] | None = None) -> Bill:
    """Return what all rows of the bill share; `period` is the first day of its month, `more` are custom columns."""
    return Bill(
        account_id=f"{account.organization.name}/{account.name}",
        account_name=account.display_name or account.name,
        currency=account.currency_code,
        period=period,
        next_period=next_month(period),
        provider=settings.MILO_FOCUS_PROVIDER_NAME,
        columns={**COLUMNS, **(more or {})},
    )


def page(bill: Bill, selection: Selection, after: Cursor) -> tuple[list[Usage], Cursor | None]:
    """Return the next rows of the bill behind the cursor `after`, and the cursor of the next page.

    It is None after the last page, which is empty; no other is. The rows of a closed month never change.
    """
    columns = ("pk", *_VALUES, *(_ACCOUNT if CHILDREN.keys() <= bill.columns.keys() else ()))
    number, last = after
    while number < len(selection):
        rows = UsageRollup.objects.filter(selection[number], billed_in=bill.period, granularity=DAY, pk__gt=last)
        # tuples: model instances would take more time than all the rest of an export
        values = list(rows.order_by("pk").values_list(*columns)[:PAGE])
        if values:
            return [_usage(*each[1:]) for each in values], (number, values[-1][0])
        number, last = number + 1, 0
    return [], None


def _usage(
    day: date,
    project: str,
    title: str,
    service: str,
    meter: str,
    unit: str,
    quantity: Decimal,
    organization: str = "",
    account: str = "",
    account_title: str = "",
) -> Usage:
    account_id = f"{organization}/{account}" if account else ""
    return Usage(day, project, title or project, service, meter, unit, quantity, account_id, account_title or account)
