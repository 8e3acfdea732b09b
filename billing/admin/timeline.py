"""The timeline of an account: everything that happened to it in one list, as `.../history` of the API tells it."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import BillingAccount
from milo.admin.forms import ActForm, Instant
from milo.admin.panels import Panel, instant, lines
from milo.admin.reports import Report
from milo.admin.site import request_actor
from milo.kube.kinds import Reading, kind_of
from milo.kube.negotiation import respond_csv

PER_PAGE = 100


def _history() -> Reading:
    kind = kind_of(BillingAccount)
    assert kind
    return next(reading for reading in kind.readings if reading.name == "history")


class TimelineForm(ActForm):
    before = Instant(required=False, label=gettext_lazy("Before"), help_text=gettext_lazy("An instant in UTC."))


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

    def happened(self, values: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = _history().call(self.account(), values, actor=request_actor(self.request))
        return found

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form_class(request.GET.dict())
        table = _history().table
        if "csv" in request.GET and form.is_valid() and table:
            return respond_csv(table(self.happened(form.cleaned_data)), f"{self.account().name}-history")
        return super().get(request, *args, **kwargs)

    def back(self) -> str:
        return reverse("admin:billing_billingaccount_change", args=[self.account().pk])

    def table(self, values: dict[str, Any]) -> Panel:
        before = values["before"]
        items, following = _page(self.happened(values)["items"])
        return Panel(
            str(self.account()),
            [_("When"), _("What"), _("Name"), _("Reason"), _("Message"), _("Who"), _("Changes")],
            [_cells(item) for item in items],
            following=following and self.query(before=following),
            more=self.query(before=before and before.isoformat(), csv="1"),
            more_title=_("CSV"),
        )


def _page(items: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
    """The first of `items`, and the instant before which the next page begins: no instant is on two pages."""
    if len(items) <= PER_PAGE:
        return items, ""
    last = items[PER_PAGE - 1]["at"]
    return [item for item in items if item["at"] >= last], last


def _cells(item: dict[str, Any]) -> list[Any]:
    at = parse_datetime(item["at"])
    changes = (f"{each['field']}: {each['before']} → {each['after']}" for each in item.get("changes", ()))
    what = (item["kind"], item["name"], item["reason"], item.get("message", "-"), item["actor"])
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
