"""Usage added up: per payer, project, meter and UTC day or month."""

from datetime import date
from typing import Self

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy

from billing.models.account import BillingAccount
from billing.models.quantity import QuantityField
from billing.models.usage import UsageMeter
from milo.columns import Columns
from projects.models import Project

DAY, MONTH = "day", "month"


class UsageRollupQuerySet(models.QuerySet["UsageRollup"]):
    def days(self, start: date, end: date) -> Self:
        """Rows per day, from `start` up to, not including, `end` (days in UTC)."""
        return self.filter(granularity=DAY, starts_on__gte=start, starts_on__lt=end)

    def months(self, start: date, end: date) -> Self:
        """Rows per month, from the month that begins on `start` up to, not including, the one that begins on `end`."""
        return self.filter(granularity=MONTH, starts_on__gte=start, starts_on__lt=end)

    def unassigned(self) -> Self:
        """Usage at a time when nobody paid for the project: the queue."""
        return self.filter(account=None)

    def with_meters(self) -> Self:
        """Each sum with `service`, `meter_name` and `unit`, so that it is understood by itself."""
        return self.annotate(service=F("meter__service"), meter_name=F("meter__name"), unit=F("meter__unit"))


class UsageRollup(models.Model):
    """The sum of the events of one payer, project, meter and day or month, kept in the transaction of the intake.

    `account` is empty for the unassigned queue. `billed_in` is the month whose figures the sum belongs to: that of its
    days, or for what arrived after that was closed, the first that was open then.
    """

    account = models.ForeignKey(
        BillingAccount,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="usage",
        verbose_name=gettext_lazy("payer"),
    )
    project = models.ForeignKey(
        Project, models.PROTECT, db_index=False, related_name="usage", verbose_name=gettext_lazy("project")
    )
    meter = models.ForeignKey(UsageMeter, models.PROTECT, db_index=False, related_name="+")
    granularity = models.CharField(
        gettext_lazy("granularity"), max_length=5, choices=[(DAY, gettext_lazy("day")), (MONTH, gettext_lazy("month"))]
    )
    starts_on = models.DateField(gettext_lazy("day"), help_text=gettext_lazy("UTC; of a month its first."))
    billed_in = models.DateField(gettext_lazy("billed in"), help_text=gettext_lazy("First day of the month."))
    quantity = QuantityField(gettext_lazy("quantity"))
    events = models.BigIntegerField(gettext_lazy("events"))

    # until the month is closed (billing/guards/usage.py)
    columns = Columns.of(free="id account_id project_id meter_id granularity starts_on billed_in quantity events")
    objects = UsageRollupQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("usage")
        verbose_name_plural = gettext_lazy("usage")
        constraints = [
            # two batches that begin the same sum at once
            models.UniqueConstraint(
                "project",
                "granularity",
                "starts_on",
                "meter",
                "billed_in",
                Coalesce("account", Value(0)),
                name="usage_rollup_once",
            ),
            models.CheckConstraint(condition=Q(granularity__in=[DAY, MONTH]), name="usage_rollup_known_granularity"),
            # a bill for a month cannot hold what was used in a later one
            models.CheckConstraint(
                condition=Q(granularity=DAY) | Q(billed_in__gte=F("starts_on")), name="usage_rollup_billed_afterwards"
            ),
        ]
        indexes = [
            # the months and days of an account
            models.Index(fields=["account", "granularity", "starts_on"], name="usage_rollup_of_account"),
            # what a month's bill holds
            models.Index(fields=["account", "billed_in"], name="usage_rollup_billed", condition=Q(granularity=DAY)),
        ]

    def __str__(self) -> str:
        return f"{self.project} {self.meter} {self.starts_on}"
