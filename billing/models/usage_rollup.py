"""Sums of usage per payer, project, meter and UTC day or month."""

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
        """Select daily sums from `start` up to, not including, `end` (UTC)."""
        return self.filter(granularity=DAY, starts_on__gte=start, starts_on__lt=end)

    def months(self, start: date, end: date) -> Self:
        """Select monthly sums from the month of `start` up to, not including, that of `end` (both first days, UTC)."""
        return self.filter(granularity=MONTH, starts_on__gte=start, starts_on__lt=end)

    def unassigned(self) -> Self:
        """Select usage at times when nobody paid for the project."""
        return self.filter(account=None)

    def with_meters(self) -> Self:
        """Annotate each sum with `service`, `meter_name` and `unit`."""
        return self.annotate(service=F("meter__service"), meter_name=F("meter__name"), unit=F("meter__unit"))


class UsageRollup(models.Model):
    """The sum of events of one payer, project, meter and day or month, updated in the transaction of the intake.

    `account` is empty for unassigned usage. `billed_in` is the month of the bill that contains the sum: that of its
    days, or the first open month if the events arrived after theirs was closed. `withdrawn` counts the events whose
    quantity was taken away again: they were billed in a month that is closed, and a correction gave them to another
    payer (`billing.models.payer_correction`). A sum may so have a quantity below zero.
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
    withdrawn = models.BigIntegerField(gettext_lazy("withdrawn events"), default=0, db_default=0)

    # free until the month is closed: a guard decides (billing/guards/usage.py)
    columns = Columns.of(
        free="id account_id project_id meter_id granularity starts_on billed_in quantity events withdrawn"
    )
    objects = UsageRollupQuerySet.as_manager()

    class Meta:
        verbose_name = gettext_lazy("usage")
        verbose_name_plural = gettext_lazy("usage")
        constraints = [
            # two concurrent batches with the first events of a sum
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
            # a month's bill cannot contain usage of a later month
            models.CheckConstraint(
                condition=Q(granularity=DAY) | Q(billed_in__gte=F("starts_on")), name="usage_rollup_billed_afterwards"
            ),
        ]
        indexes = [
            # the months and days of an account
            models.Index(fields=["account", "granularity", "starts_on"], name="usage_rollup_of_account"),
            # the daily sums of a month's bill
            models.Index(fields=["account", "billed_in"], name="usage_rollup_billed", condition=Q(granularity=DAY)),
        ]

    def __str__(self) -> str:
        return f"{self.project} {self.meter} {self.starts_on}"
