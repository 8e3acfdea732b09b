"""Usage on the pages of accounts and projects: chart, table and CSV by day, and the bill of a month as FOCUS."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, timedelta
from decimal import Decimal
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.request_actions import Action, Phase, RequestAction, RequestForm
from billing.models import BillingAccount, BillingAccountBinding
from billing.models.affiliation import payer_of_record
from billing.models.usage_partitions import next_month
from billing.models.usage_rollup import DAY
from billing.services.affiliations import bills
from billing.services.affiliations.scopes import OWN, SCOPES, of_scope
from billing.services.usage.exports import BEGINNING, Cursor, Selection, page
from billing.services.usage.reports import Line, UsageQuery, of_project
from billing.usage.focus import Bill, text
from billing.usage.focus import row as focus_row
from billing.usage.quantities import EXACT, plain
from billing.usage.times import EARLIEST, LATEST
from milo import personal
from milo.admin.exports import record_export, respond_recorded, send, write_csv
from milo.admin.forms import Text
from milo.admin.panels import SHOWN, Panel, day_text, number_text
from milo.dates import midnight, parse_month
from milo.spreadsheets import CSV
from projects.models import Project

DAYS = 31
SCOPE, MONTH = "scope", "month"
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


def panels(row: Any, by: str, scope: str = OWN, month: date | None = None) -> list[Panel]:
    """Return a panel for each unit: the usage of an account or project in a month, grouped by `by`.

    Without `month`, the first day of one, it is that of the last 31 days. `scope` is whose usage it is
    (billing/services/affiliations/scopes.py), for accounts; other scopes than its own show no handovers, which are too
    many.
    """
    query = _query(month, (by,))
    lines = of_project(row, query) if isinstance(row, Project) else of_scope(row, query, scope)
    days = [query.start + timedelta(days=number) for number in range((query.end - query.start).days)]
    marks = _handovers(row, days) if scope == OWN else {}
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_usage", args=[row.pk])
    months = {MONTH: f"{month:%Y-%m}"} if month else {}
    parameters = urlencode({"by": by, **({} if scope == OWN else {SCOPE: scope}), **months})
    units = sorted({line.unit for line in lines})
    return [
        _panel(unit, by, [line for line in lines if line.unit == unit], days, marks, f"{address}?{parameters}")
        for unit in units
    ]


def _query(month: date | None, by: tuple[str, ...]) -> UsageQuery:
    if month:
        return UsageQuery(month, next_month(month), DAY, by)
    today = timezone.now().astimezone(UTC).date()
    return UsageQuery(today - timedelta(days=DAYS - 1), today + timedelta(days=1), DAY, by)


def _handovers(row: Any, days: list[date]) -> dict[date, list[str]]:
    """Return the days (UTC) on which a payer of the project, or a project of the account, changed, each with texts."""
    span = midnight(days[0]), midnight(days[-1] + timedelta(days=1))
    bindings = BillingAccountBinding.objects.filter(established_at__gte=span[0], established_at__lt=span[1])
    bindings = bindings.filter(project=row) if isinstance(row, Project) else bindings.filter(account=row)
    handovers: dict[date, list[str]] = {}
    for binding in bindings.select_related("project", "account").order_by("established_at")[:SHOWN]:
        text = _("%(account)s pays for %(project)s") % {"account": binding.account, "project": binding.project}
        handovers.setdefault(binding.established_at.astimezone(UTC).date(), []).append(text)
    if not isinstance(row, Project):
        ended = BillingAccountBinding.objects.filter(account=row, ended_at__gte=span[0], ended_at__lt=span[1])
        for binding in ended.select_related("project").order_by("ended_at")[:SHOWN]:
            assert binding.ended_at
            text = _("no longer pays for %(project)s") % {"project": binding.project}
            handovers.setdefault(binding.ended_at.astimezone(UTC).date(), []).append(text)
    return handovers


def _day_of_month(day: date) -> str:
    return formats.date_format(day, "MONTH_DAY_FORMAT")


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
                day_text(day),
                *(number_text(plain(sums[day, name])) if (day, name) in sums else "-" for name in names),
                "; ".join(marks.get(day, ())) or "-",
            ]
            for day in used
        ],
        more=address,
        more_title=_("CSV"),
        chart=json.dumps(
            {
                # an arrow below the day marks a handover
                "labels": [[_day_of_month(day), "⇄"] if day in marks else _day_of_month(day) for day in days],
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


def month_of(request: HttpRequest) -> date | None:
    """Return the first day of the month that a page shows; None for anything that is no month of usage."""
    try:
        month = parse_month(request.GET.get(MONTH, ""))
    except ValueError:
        return None
    return month if EARLIEST <= month < LATEST else None


def month_form(row: BillingAccount, scope: str, month: date | None) -> dict[str, Any]:
    """Return what the form of the month shows: the bill of one, as FOCUS, is of scopes that are invoiced."""
    focus = reverse("admin:billing_billingaccount_focus", args=[row.pk]) if scope in bills.SCOPES else ""
    return {"usage_month": month or timezone.now().date(), "usage_scope": scope, "focus": focus}


class UsagePages:
    """Mixin for the admins of accounts and projects: adds the usage of a month, or of the last 31 days, as CSV."""

    opts: Any
    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_usage"
        own = path("<path:object_id>/usage.csv", self.admin_site.admin_view(self.usage_csv), name=name)
        return [own, *super().get_urls()]  # type: ignore[misc]

    def usage_csv(self: Any, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return a CSV row for each day, payer, project, service, meter and unit of a month or the last 31 days."""
        row = _row(self, request, object_id)
        by = ("account", "project", "service", "meter")
        month = month_of(request)
        if month is None and request.GET.get(MONTH):
            raise Http404
        query = _query(month, by)
        scope = scope_of(request)
        lines = of_project(row, query) if isinstance(row, Project) else of_scope(row, query, scope)
        head = ["day", *by, "unit", "quantity", "events"]
        cells = [
            [line.start.isoformat(), *line.of.values(), line.unit, plain(line.quantity), line.events] for line in lines
        ]
        name = f"{row.name}-usage-{month:%Y-%m}" if month else f"{row.name}-usage"
        return respond_recorded(request, type(row), [head, *cells], name)


def _row(model_admin: Any, request: HttpRequest, object_id: str) -> Any:
    if request.method not in ("GET", "HEAD") or not model_admin.has_view_permission(request):
        raise PermissionDenied
    row = model_admin.get_object(request, object_id)
    if row is None:
        raise Http404
    return row


class FocusPage:
    """Mixin for the admin of accounts: adds the bill of a month as FOCUS, the same file as that of the API."""

    opts: Any
    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.focus_csv)
        return [path("<path:object_id>/focus.csv", page, name="billing_billingaccount_focus"), *super().get_urls()]  # type: ignore[misc]

    def focus_csv(self: Any, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Return the bill of the month, of the scope; usage that another account is invoiced for is a showback."""
        row, month, scope = _row(self, request, object_id), month_of(request), scope_of(request)
        if month is None or scope not in bills.SCOPES:
            raise Http404
        other = scope == OWN and payer_of_record(row, month).pk != row.pk
        bill, selection = bills.bill_of_scope(row, month, scope, bills.SHOWBACK if other else "")
        # closed when it has been sent
        file = TemporaryFile()  # noqa: SIM115
        number = write_csv(_focus_rows(bill, selection), file)
        kind = "-showback" if other else "" if scope == OWN else f"-{scope}"
        name = f"{row.name}-{month:%Y-%m}{kind}.csv"
        record_export(request, type(row), name, f"FOCUS, {number} rows", request.GET.urlencode())
        return send(request, file, name, f"{CSV}; charset=utf-8")


def _focus_rows(bill: Bill, selection: Selection) -> Iterator[list[Any]]:
    yield list(bill.columns)
    cursor: Cursor | None = BEGINNING
    while cursor:
        usages, cursor = page(bill, selection, cursor)
        yield from ([personal.shown(text(value)) for value in focus_row(bill, usage)] for usage in usages)


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
