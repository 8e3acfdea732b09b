"""Usage at times when nobody paid: the report, as a page and as CSV, and the request that assigns it to an account."""

from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.access import APPROVALS
from billing.admin.project_actions import active_binding, payer_of
from billing.admin.request_actions import RequestForm
from billing.admin.wording import offer_accounts
from billing.models import ApprovalRequest, BillingAccount
from billing.services.accounts import ACCOUNT_FIELD
from billing.services.approvals.requests import request_approval
from billing.services.usage.assignments import unassigned
from billing.usage.quantities import plain
from milo.access import Actor
from milo.admin.actions import Facts, ServiceAction
from milo.admin.actors import request_actor
from milo.admin.exports import respond_recorded
from milo.admin.forms import ActForm, Text
from milo.admin.panels import SHOWN, Panel, day_text, link, number_text
from milo.admin.reports import Report
from milo.admin.suggestions import SuggestedRow
from milo.dates import midnight
from projects.models import Project

SPAN = ("since", "until")


class QueueForm(ActForm):
    organization = Text(required=False, max_length=63, label=gettext_lazy("Organization"))


class UnassignedUsage(Report):
    """Usage at times when nobody paid for the project, oldest first."""

    name = "unassigned-usage"
    title = gettext_lazy("Usage for which nobody paid")
    icon = "help_center"
    form_class = QueueForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form(request.GET.dict())
        if "csv" in request.GET and form.is_valid():
            head = ["project", "service", "meter", "unit", "quantity", "events", "from", "until"]
            lines = [head, *map(_values, _queue(form.cleaned_data).iterator())]
            return respond_recorded(request, Project, lines, "unassigned-usage")
        return super().get(request, *args, **kwargs)

    def table(self, values: dict[str, Any]) -> Panel:
        sums = list(_queue(values)[: SHOWN * 10])
        projects = Project.objects.in_bulk({row["name"] for row in sums}, field_name="name")
        pending = ApprovalRequest.objects.pending().filter(act=ApprovalRequest.Action.ASSIGN_USAGE).order_by("pk")
        asked = {request.proposal.get("project"): request for request in pending}
        return Panel(
            _("An approved request assigns the usage of a span of time to an account"),
            [
                *(_("Project"), _("Service"), _("Meter"), _("Unit"), _("Quantity"), _("Events")),
                *(_("From"), _("Until"), _("Age"), _("Request")),
            ],
            [list(self._cells(row, projects[row["name"]], asked.get(row["name"]))) for row in sums],
            more=self.query(**values, csv="1"),
            more_title=_("CSV"),
        )

    def _cells(self, row: dict[str, Any], project: Project, asked: ApprovalRequest | None) -> Iterator[Any]:
        yield from (link(project), row["service"], row["counter"], row["unit"])
        yield from (
            number_text(plain(row["amount"])),
            number_text(row["count"]),
            day_text(row["first"]),
            day_text(row["last"]),
        )
        yield timesince(midnight(row["first"]), depth=1)
        if asked:
            yield link(asked, asked.get_phase_display())
            return
        may = request_actor(self.request).may("create", APPROVALS, project.organization_id)
        yield _assign(project, row) if may else "-"


def _queue(values: dict[str, Any]) -> Any:
    rows = unassigned()
    return rows.filter(project__organization__name=values["organization"]) if values["organization"] else rows


def _values(row: dict[str, Any]) -> list[Any]:
    days = (row["first"].isoformat(), row["last"].isoformat())
    return [row["name"], row["service"], row["counter"], row["unit"], plain(row["amount"]), row["count"], *days]


def _assign(project: Project, row: dict[str, Any]) -> str:
    """Return a link to the request for the days of a row; of today, until now."""
    until = min(midnight(row["last"]) + timedelta(days=1), timezone.now().astimezone(UTC).replace(microsecond=0))
    span = zip(SPAN, (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (midnight(row["first"]), until)), strict=True)
    page = reverse(f"admin:projects_project_{AssignProjectUsage.name}", args=[project.pk])
    return format_html('<a href="{}?{}" class="text-link">{}</a>', page, urlencode(list(span)), _("Assign"))


class AssignToForm(RequestForm):
    account = SuggestedRow(BillingAccount.objects.none(), label=gettext_lazy("Billing account that shall pay"))
    since = Text(
        max_length=40, label=gettext_lazy("From"), help_text=gettext_lazy("An instant, such as 2026-11-01T00:00:00Z.")
    )
    until = Text(max_length=40, label=gettext_lazy("Until, not included"))

    field_order = ("account", *SPAN, "justification")
    paths = {
        **RequestForm.paths,
        ACCOUNT_FIELD: "account",
        **{f"spec.proposal.{name}": name for name in SPAN},
    }
    row: Project

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = BillingAccount.objects.filter(organization_id=self.row.organization_id)
        offer_accounts(self.fields["account"], accounts, accounts.exclude(phase__in=BillingAccount.READ_ONLY))


class AssignProjectUsage(ServiceAction):
    """Offered by each row of the report; the link fills in the span."""

    name = "assign-usage"
    title = gettext_lazy("Request assignment of usage")
    icon = "how_to_reg"
    verb, resource = "create", APPROVALS
    form_class = AssignToForm
    on_page = True

    def get_initial(self) -> dict[str, Any]:
        return {name: self.request.GET.get(name, "") for name in SPAN}

    def facts(self) -> Facts:
        return [
            (_("Project"), link(self.row)),
            (_("Who pays now"), payer_of(active_binding(self.row))),
            (_("What will happen"), _("It takes effect the moment a second person approves it, and not before.")),
        ]

    def call(self, values: dict[str, Any], *, actor: Actor) -> ApprovalRequest:
        project: Project = self.row
        return request_approval(
            project.organization_id,
            values["account"].name,
            ApprovalRequest.Action.ASSIGN_USAGE,
            justification=values["justification"],
            proposal={"project": project.name, **{name: values[name] for name in SPAN}},
            actor=actor,
        )

    def message(self, row: ApprovalRequest) -> str:
        return _("%(request)s awaits the decision of a second person.") % {"request": row}
