"""Usage on the pages of accounts and projects: chart, table and CSV by day; the report of unassigned usage."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.request_actions import Action, Phase, RequestAction, RequestForm
from billing.models import BillingAccountBinding
from billing.models.usage_rollup import DAY
from billing.services.affiliations.scopes import OWN, SCOPES, of_scope
from billing.services.usage.assignments import unassigned
from billing.services.usage.reports import Line, UsageQuery, of_project
from billing.usage.quantities import EXACT, plain
from milo.admin.forms import ActForm, Text
from milo.admin.panels import SHOWN, Panel, link
from milo.admin.reports import Report
from milo.spreadsheets import respond_csv
from projects.models import Project

DAYS = 31
SCOPE = "scope"
# distinguishable with color blindness and on light and dark backgrounds (Okabe and Ito)
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C8C00", "#999999")
OPTIONS = json.dumps(
    {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "plugins": {"legend": {"display": True, "position": "bottom"}},
        "scales": {"x": {"stacked": True}, "y": {"stacked": True}},
    }
)


def panels(row: Any, by: str, scope: str = OWN) -> list[Panel]:
    """Return a panel for each unit: the usage of an account or project in the last 31 days, grouped by `by`.

    `scope` is whose usage it is (billing/services/affiliations/scopes.py), for accounts; other scopes than its own
    show no handovers, which are too many.
    """
    today = timezone.now().astimezone(UTC).date()
    query = UsageQuery(today - timedelta(days=DAYS - 1), today + timedelta(days=1), DAY, (by,))
    lines = of_project(row, query) if isinstance(row, Project) else of_scope(row, query, scope)
    days = [query.start + timedelta(days=number) for number in range(DAYS)]
    marks = _handovers(row, days) if scope == OWN else {}
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_usage", args=[row.pk])
    parameters = urlencode({"by": by} if scope == OWN else {"by": by, "scope": scope})
    units = sorted({line.unit for line in lines})
    return [
        _panel(unit, by, [line for line in lines if line.unit == unit], days, marks, f"{address}?{parameters}")
        for unit in units
    ]


def _handovers(row: Any, days: list[date]) -> dict[date, list[str]]:
    """Return the days (UTC) on which a payer of the project, or a project of the account, changed, each with texts."""
    since = datetime.combine(days[0], time(), UTC)
    bindings = BillingAccountBinding.objects.filter(established_at__gte=since)
    bindings = bindings.filter(project=row) if isinstance(row, Project) else bindings.filter(account=row)
    handovers: dict[date, list[str]] = {}
    for binding in bindings.select_related("project", "account").order_by("established_at")[:SHOWN]:
        text = _("%(account)s pays for %(project)s") % {"account": binding.account, "project": binding.project}
        handovers.setdefault(binding.established_at.astimezone(UTC).date(), []).append(text)
    if not isinstance(row, Project):
        ended = BillingAccountBinding.objects.filter(account=row, ended_at__gte=since)
        for binding in ended.select_related("project").order_by("ended_at")[:SHOWN]:
            assert binding.ended_at
            text = _("no longer pays for %(project)s") % {"project": binding.project}
            handovers.setdefault(binding.ended_at.astimezone(UTC).date(), []).append(text)
    return handovers


def _panel(
    unit: str, by: str, lines: Iterable[Line], days: list[date], marks: dict[date, list[str]], address: str
) -> Panel:
    sums: dict[tuple[date, str], Decimal] = {}
    for line in lines:
        key = line.start, line.of[by] or _("nobody yet")
        sums[key] = EXACT.add(sums.get(key, Decimal(0)), line.quantity)
    names = sorted({name for _day, name in sums})
    used = sorted({day for day, _name in sums} | marks.keys(), reverse=True)
    return Panel(
        _("Usage in %(unit)s, by day (UTC)") % {"unit": unit},
        [_("Day"), *names, _("Handover")],
        [
            [
                day.isoformat(),
                *(plain(sums[day, name]) if (day, name) in sums else "-" for name in names),
                "; ".join(marks.get(day, ())) or "-",
            ]
            for day in used
        ],
        more=address,
        more_title=_("CSV"),
        chart=json.dumps(
            {
                # an arrow below the day marks a handover
                "labels": [[f"{day:%m-%d}", "⇄"] if day in marks else f"{day:%m-%d}" for day in days],
                "datasets": [
                    {
                        "label": name,
                        "data": [float(sums.get((day, name), 0)) for day in days],
                        "backgroundColor": COLORS[number % len(COLORS)],
                    }
                    for number, name in enumerate(names)
                ],
            }
        ),
        chart_options=OPTIONS,
    )


def scope_of(request: HttpRequest) -> str:
    """Return whose usage and projects a page of an account shows; its own for anything that is no scope."""
    scope = request.GET.get(SCOPE, OWN)
    return scope if scope in SCOPES else OWN


class UsagePages:
    """Mixin for the admins of accounts and projects: adds the usage of the last 31 days as CSV."""

    opts: Any
    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_usage"
        own = path("<path:object_id>/usage.csv", self.admin_site.admin_view(self.usage_csv), name=name)
        return [own, *super().get_urls()]  # type: ignore[misc]

    def usage_csv(self: Any, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return a CSV row for each day, payer, project, service, meter and unit of the last 31 days."""
        if request.method not in ("GET", "HEAD") or not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        today = timezone.now().astimezone(UTC).date()
        by = ("account", "project", "service", "meter")
        query = UsageQuery(today - timedelta(days=DAYS - 1), today + timedelta(days=1), DAY, by)
        scope = scope_of(request)
        lines = of_project(row, query) if isinstance(row, Project) else of_scope(row, query, scope)
        head = ["day", *by, "unit", "quantity", "events"]
        cells = [
            [line.start.isoformat(), *line.of.values(), line.unit, plain(line.quantity), line.events] for line in lines
        ]
        return respond_csv([head, *cells], f"{row.name}-usage")


class QueueForm(ActForm):
    organization = Text(required=False, max_length=63, label=gettext_lazy("Organization"))


class UnassignedUsage(Report):
    """Usage at times when nobody paid for the project, oldest first."""

    name = "unassigned-usage"
    title = gettext_lazy("Usage for which nobody paid")
    icon = "help_center"
    form_class = QueueForm

    def table(self, values: dict[str, Any]) -> Panel:
        rows = unassigned()
        if values["organization"]:
            rows = rows.filter(project__organization__name=values["organization"])
        sums = list(rows[: SHOWN * 10])
        projects = Project.objects.in_bulk({row["name"] for row in sums}, field_name="name")
        return Panel(
            _("An approved request assigns the usage of a span of time to an account"),
            [_("Project"), _("Service"), _("Meter"), _("Unit"), _("Quantity"), _("Events"), _("From"), _("Until")],
            [
                [
                    link(projects[row["name"]]),
                    row["service"],
                    row["counter"],
                    row["unit"],
                    plain(row["amount"]),
                    row["count"],
                    row["first"].isoformat(),
                    row["last"].isoformat(),
                ]
                for row in sums
            ],
        )


class AssignForm(RequestForm):
    project = Text(max_length=63, label=gettext_lazy("Project"))
    since = Text(
        max_length=40, label=gettext_lazy("From"), help_text=gettext_lazy("An instant, such as 2026-11-01T00:00:00Z.")
    )
    until = Text(max_length=40, label=gettext_lazy("Until, not included"))

    field_order = ("project", "since", "until", "justification")
    paths = {**RequestForm.paths, **{f"spec.proposal.{name}": name for name in ("project", "since", "until")}}


class RequestAssignment(RequestAction):
    name = "request-assignment"
    title = gettext_lazy("Request assignment of usage")
    asks_for = Action.ASSIGN_USAGE
    phases = (Phase.READY, Phase.SUSPENDED)
    form_class = AssignForm

    def proposal(self, values: dict[str, Any]) -> dict[str, Any]:
        return {name: values[name] for name in ("project", "since", "until")}
