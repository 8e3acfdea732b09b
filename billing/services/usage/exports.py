"""What a month's bill of an account holds, in pages, so that no export is ever whole in memory."""

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
    """What all rows of the account's bill for the month that begins on `period` share."""
    return Bill(
        account_id=f"{account.organization.name}/{account.name}",
        account_name=account.display_name or account.name,
        currency=account.currency_code,
        period=period,
        next_period=next_month(period),
        provider=settings.MILO_FOCUS_PROVIDER_NAME,
    )


def page(account: BillingAccount, period: date, after: int) -> tuple[list[Usage], int]:
    """The next rows of the bill after the one numbered `after` (0: the first), and the number of the last.

    Those of a closed month are the same whenever they are read.
    """
    rows = UsageRollup.objects.filter(account=account, billed_in=period, granularity=DAY, pk__gt=after)
    # values, because an instance of every row takes more time than all the rest of an export
    found = list(rows.order_by("pk").values_list("pk", *COLUMNS)[:PAGE])
    usages = [
        Usage(day, project, title or project, service, meter, unit, quantity)
        for _pk, day, project, title, service, meter, unit, quantity in found
    ]
    return usages, found[-1][0] if found else 0
