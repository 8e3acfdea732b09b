"""Read the bill of an account for a month in pages, so that no export is whole in memory."""

from datetime import date

from django.conf import settings

from billing.models import BillingAccount, UsageRollup
from billing.models.usage_partitions import next_month
from billing.models.usage_rollup import DAY
from billing.usage.focus import Bill, Usage

PAGE = 5_000
COLUMNS = (
    "starts_on",
    "project__name",
    "project__display_name",
    "meter__service",
    "meter__name",
    "meter__unit",
    "quantity",
)


def bill_of(account: BillingAccount, period: date) -> Bill:
    """Return what all rows of the bill share; `period` is the first day of its month."""
    return Bill(
        account_id=f"{account.organization.name}/{account.name}",
        account_name=account.display_name or account.name,
        currency=account.currency_code,
        period=period,
        next_period=next_month(period),
        provider=settings.MILO_FOCUS_PROVIDER_NAME,
    )


def page(account: BillingAccount, period: date, after: int) -> tuple[list[Usage], int]:
    """Return the rows of the bill behind the cursor `after` (at first 0), and the cursor of the next page.

    The cursor is the primary key of the last row, 0 after the last page. The rows of a closed month never change.
    """
    rows = UsageRollup.objects.filter(account=account, billed_in=period, granularity=DAY, pk__gt=after)
    # tuples: model instances would take more time than all the rest of an export
    values = list(rows.order_by("pk").values_list("pk", *COLUMNS)[:PAGE])
    usages = [
        Usage(day, project, title or project, service, meter, unit, quantity)
        for _pk, day, project, title, service, meter, unit, quantity in values
    ]
    return usages, values[-1][0] if values else 0
