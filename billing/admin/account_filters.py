"""Filters of the list of accounts beyond their columns: for what they are suspended, what is overdue, age, opening."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from billing.models import BillingAccount, Charge, Suspension
from billing.reason_codes import ReasonCode
from milo.admin.day_ranges import DayRangeFilter

DAYS = (7, 30, 90, 365)
THIS_YEAR, BEFORE = "year", "before"
NEWEST = ("-created_at", "-pk")


class ReasonFilter(DropdownFilter):
    """The reason of an open suspension; an account may be suspended for several."""

    title = gettext_lazy("suspended for")
    parameter_name = "suspendedFor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(ReasonCode.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[BillingAccount]) -> QuerySet[BillingAccount]:
        if not self.value():
            return queryset
        return queryset.filter(pk__in=Suspension.objects.open().filter(reason_code=self.value()).values("account"))


class ChargesFilter(DropdownFilter):
    """Whether charges of the account are overdue on this day (UTC), or outstanding at all."""

    title = gettext_lazy("charges")
    parameter_name = "charges"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("overdue", _("Overdue")), ("outstanding", _("Outstanding"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[BillingAccount]) -> QuerySet[BillingAccount]:
        charges = Charge.objects.unsettled()
        if self.value() == "overdue":
            charges = Charge.objects.overdue(timezone.now().date())
        return queryset.filter(pk__in=charges.values("account")) if self.value() else queryset


class AgeFilter(DropdownFilter):
    """For how long the account is in its phase."""

    title = gettext_lazy("in this phase for")
    parameter_name = "inPhaseFor"
    in_order = ("phase_since", "pk")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(str(days), _("more than %(days)d days") % {"days": days}) for days in DAYS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[BillingAccount]) -> QuerySet[BillingAccount]:
        days = {str(each): each for each in DAYS}.get(self.value() or "")
        return queryset.filter(phase_since__lt=timezone.now() - timedelta(days=days)) if days else queryset


class OpenedBetween(DayRangeFilter):
    """On which days (UTC) the account was opened."""

    label = gettext_lazy("opened between (UTC)")
    in_order = NEWEST


class OpenedFilter(DropdownFilter):
    """When the account was opened (UTC)."""

    title = gettext_lazy("opened")
    parameter_name = "opened"
    in_order = NEWEST

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        recently = [(str(days), _("in the last %(days)d days") % {"days": days}) for days in DAYS]
        return [*recently, (THIS_YEAR, _("this year")), (BEFORE, _("before this year"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[BillingAccount]) -> QuerySet[BillingAccount]:
        now = timezone.now().astimezone(UTC)
        year, days = datetime(now.year, 1, 1, tzinfo=UTC), {str(each): each for each in DAYS}.get(self.value() or "")
        if self.value() == BEFORE:
            return queryset.filter(created_at__lt=year)
        since = year if self.value() == THIS_YEAR else now - timedelta(days=days) if days else None
        return queryset.filter(created_at__gte=since) if since else queryset
