"""The timeline of an account: everything that happened to it in one list, as `.../history` of the API tells it."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import BillingAccount
from billing.services.timeline import Cursor
from milo.admin.forms import ActForm, Instant
from milo.admin.panels import Panel, instant, lines
from milo.admin.reports import Report
from milo.admin.site import request_actor
from milo.errors import Refused
from milo.kube.kinds import Reading, kind_of
from milo.kube.negotiation import respond_csv

PER_PAGE = 100


def _history() -> Reading:
    kind = kind_of(BillingAccount)
    assert kind
    return next(reading for reading in kind.readings if reading.name == "history")


class TimelineForm(ActForm):
    before = Instant(required=False, label=gettext_lazy("Before"), help_text=gettext_lazy("An instant in UTC."))
    # not sent with the form, so that another instant begins with its first page
    cursor = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        try:
            if values.get("cursor"):
                Cursor.parse(values["cursor"])
        except Refused as refusal:
            message = refusal.causes[0].message if refusal.causes else refusal.message
            self.add_error("before", message)
        return values


class Timeline(Report):
    """Phases, revisions with their difference, suspensions, approvals, charges, bindings and notices, newest first."""

    name = "timeline"
    title = gettext_lazy("Everything that happened")
    icon = "history"
    form_class = TimelineForm

    def account(self) -> BillingAccount:
        """The account of the address; 404 where there is none that the person may see."""
        found: BillingAccount | None = self.admin.get_object(self.request, self.kwargs["object_id"])
        if found is None:
            raise Http404
        return found

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form_class(request.GET.dict())
        table = _history().table
        if "csv" in request.GET and form.is_valid() and table:
            whole = _history().whole(self.account(), _query(form.cleaned_data), actor=request_actor(request))
            return respond_csv(table(whole), f"{self.account().name}-history")
        return super().get(request, *args, **kwargs)

    def back(self) -> str:
        return reverse("admin:billing_billingaccount_change", args=[self.account().pk])

    def table(self, values: dict[str, Any]) -> Panel:
        before = values["before"] and values["before"].isoformat()
        page = _history().call(self.account(), {**_query(values), "limit": PER_PAGE}, actor=request_actor(self.request))
        following = page.get("metadata", {}).get("continue", "")
        return Panel(
            str(self.account()),
            [_("When"), _("What"), _("Name"), _("Reason"), _("Message"), _("Who"), _("Changes")],
            [_cells(item) for item in page["items"]],
            following=following and self.query(before=before, cursor=following),
            more=self.query(before=before, csv="1"),
            more_title=_("CSV"),
        )


def _query(values: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the API's reading that the form asks for."""
    asked = {"before": values["before"], "continue": values["cursor"]}
    return {name: value for name, value in asked.items() if value}


def _cells(item: dict[str, Any]) -> list[Any]:
    at = parse_datetime(item["at"])
    changes = (f"{each['field']}: {each['before']} → {each['after']}" for each in item.get("changes", ()))
    who = [item["actor"], item.get("credential", ""), item.get("credentialMaker", "")]
    what = (item["kind"], item["name"], item["reason"], item.get("message", "-"), lines(filter(None, who)))
    return [instant(at), *what, lines(changes)]


class TimelinePages:
    """Mixed into the admin of accounts: the timeline, to which the latest changes lead."""

    admin_site: Any

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(Timeline.as_view(model_admin=self))
        own = path("<path:object_id>/timeline/", page, name="billing_billingaccount_timeline")
        return [own, *super().get_urls()]  # type: ignore[misc]

    def latest_changes(self, row: BillingAccount) -> Panel:
        panel: Panel = super().latest_changes(row)  # type: ignore[misc]
        panel.more = reverse("admin:billing_billingaccount_timeline", args=[row.pk])
        panel.more_title = str(Timeline.title)
        return panel
