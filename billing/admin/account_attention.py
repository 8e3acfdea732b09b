"""Accounts on the home page: what waits, accounts by phase, and events of usage; the filter that its links lead to."""

import json
from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any

from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from billing.access import ACCOUNTS, APPROVALS
from billing.admin.localized_names import country_choices, currency_choices
from billing.admin.usage import COLORS
from billing.models import BillingAccount, UsageIntake
from billing.models.account_queries import BillingAccountQuerySet
from billing.services.approvals.reactivations import resolved_accounts
from billing.services.compliance.assessments import ERRORS
from milo.admin.actors import request_actor
from milo.admin.attention import Number, attention, numbers_by
from milo.admin.panels import Attention, Panel, day_text, list_address
from milo.dates import midnight

WAITS_FOR, REACTIVATION, RULES = "waitsFor", "reactivation", "rules"
DAYS = 30
_OPTIONS = json.dumps(
    {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "plugins": {"legend": {"display": False}},
        "scales": {"x": {}, "y": {"beginAtZero": True, "ticks": {"precision": 0}}},
    }
)


def breaking_rules() -> BillingAccountQuerySet:
    """Return the accounts that can still be revised and broke a regional rule when they were last assessed."""
    return BillingAccount.objects.filter(compliance_reason=ERRORS).exclude(phase__in=BillingAccount.READ_ONLY)


class WaitingFilter(DropdownFilter):
    """What an account waits for, beyond its phase."""

    title = gettext_lazy("what it waits for")
    parameter_name = WAITS_FOR

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            (REACTIVATION, _("Resolved: the reactivation is to be requested")),
            (RULES, _("Breaks a regional rule: to be revised")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[BillingAccount]) -> QuerySet[BillingAccount]:
        if self.value() == REACTIVATION:
            return queryset.filter(pk__in=resolved_accounts().values("pk"))
        return queryset.filter(pk__in=breaking_rules().values("pk")) if self.value() == RULES else queryset


class CountryFilter(DropdownFilter):
    """The payer's country, by its name."""

    title = gettext_lazy("country")
    parameter_name = "country"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return country_choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[BillingAccount]) -> QuerySet[BillingAccount]:
        return queryset.filter(country=self.value()) if self.value() else queryset


class CurrencyFilter(DropdownFilter):
    """The currency, of all that accounts may have: finding those in use would read every account."""

    title = BillingAccount._meta.get_field("currency_code").verbose_name
    parameter_name = "currency_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return currency_choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[BillingAccount]) -> QuerySet[BillingAccount]:
        return queryset.filter(currency_code=self.value()) if self.value() else queryset


def account_attention(request: HttpRequest) -> list[Attention]:
    """Return what waits for people on accounts. What only an operator can do is not shown to others."""
    actor = request_actor(request)
    operates = actor.may("update", ACCOUNTS, None)
    items = [
        _of_phase(BillingAccount.Phase.INCOMPLETE, _("Incomplete accounts"), daily=operates),
        _of_phase(BillingAccount.Phase.PROVISIONING, _("Accounts still being validated")),
    ]
    if actor.may("create", APPROVALS, None):
        title = _("Suspensions resolved, reactivation to be requested")
        page = list_address(BillingAccount, **{WAITS_FOR: REACTIVATION})
        items.append(attention(title, resolved_accounts(), "last_resolved_at", page))
    page = list_address(BillingAccount, **{WAITS_FOR: RULES})
    return [*items, attention(_("Accounts that break a regional rule"), breaking_rules(), "compliance_since", page)]


def _of_phase(phase: BillingAccount.Phase, title: str, *, daily: bool = False) -> Attention:
    page = list_address(BillingAccount, phase__exact=phase.value)
    return attention(title, BillingAccount.objects.filter(phase=phase), "phase_since", page, daily=daily)


def account_charts() -> list[Panel]:
    """Return the charts of accounts by phase, and of the events of usage received in the last 30 days (UTC)."""
    return [_by_phase(), _usage()]


def _by_phase() -> Panel:
    numbers = numbers_by(BillingAccount, "phase", BillingAccount.Phase.values)
    phases = [(BillingAccount.Phase(phase).label, number) for phase, number in numbers.items()]
    nothing = _("No account was opened yet.")
    return _chart(_("Accounts by phase"), _("Phase"), _("Accounts"), phases, nothing)


def _usage() -> Panel:
    today = timezone.now().astimezone(UTC).date()
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    since = midnight(days[0])
    intakes = UsageIntake.objects.filter(received_at__gte=since).order_by()
    events = dict(intakes.values_list(TruncDate("received_at", tzinfo=UTC)).annotate(Sum("events")))
    rows = [(day_text(day), Number(events.get(day, 0))) for day in days]
    nothing = _("No usage was received. Services report it through the API.")
    return _chart(_("Usage events received in the last 30 days (UTC)"), _("Day"), _("Events"), rows, nothing)


def _chart(title: str, of: str, numbered: str, rows: Sequence[tuple[Any, Number]], nothing: str) -> Panel:
    """Return a chart with its table; without a number above 0, what to say instead of both."""
    if not any(number.number for _name, number in rows):
        return Panel(title, [of, numbered], nothing=nothing)
    names = [str(name) for name, _number in rows]
    numbers = {"label": numbered, "data": [each.number for _name, each in rows], "backgroundColor": COLORS[0]}
    return Panel(
        title,
        [of, numbered],
        [[str(name), str(number)] for name, number in rows],
        chart=json.dumps({"labels": names, "datasets": [numbers]}),
        chart_options=_OPTIONS,
    )
