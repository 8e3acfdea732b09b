"""The timeline of an account: the same events as the subresource `history` of the API, as pages and CSV."""

from datetime import datetime
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import BillingAccount
from billing.services.timeline import Cursor, TimelineEvent
from billing.services.timeline_table import as_json, readable_timeline, rows, whole_timeline
from milo.admin.actors import request_actor
from milo.admin.forms import ActForm, Instant
from milo.admin.panels import Panel, instant, lines
from milo.admin.reports import Report
from milo.errors import Refused
from milo.spreadsheets import respond_csv

PER_PAGE = 100


class TimelineForm(ActForm):
    before = Instant(required=False, label=gettext_lazy("Before"), help_text=gettext_lazy("An instant in UTC."))
    # only links to the next page carry the cursor: submitting the form starts again with the first page
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
        """Return the account of the address. Raises `Http404` if the person may not see it or it does not exist."""
        account: BillingAccount | None = self.admin.get_object(self.request, self.kwargs["object_id"])
        if account is None:
            raise Http404
        return account

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form_class(request.GET.dict())
        if "csv" in request.GET and form.is_valid():
            account, actor = self.account(), request_actor(request)
            events = whole_timeline(account, *_place(form.cleaned_data), actor=actor)
            return respond_csv(rows(map(as_json, events)), f"{account.name}-history")
        return super().get(request, *args, **kwargs)

    def back(self) -> str:
        return reverse("admin:billing_billingaccount_change", args=[self.account().pk])

    def table(self, values: dict[str, Any]) -> Panel:
        before = values["before"] and values["before"].isoformat()
        account, actor = self.account(), request_actor(self.request)
        events, following = readable_timeline(account, *_place(values), limit=PER_PAGE, actor=actor)
        return Panel(
            str(account),
            [_("When"), _("What"), _("Name"), _("Reason"), _("Message"), _("Who"), _("Changes")],
            [_cells(event) for event in events],
            following=self.query(before=before, cursor=following) if following else "",
            more=self.query(before=before, csv="1"),
            more_title=_("CSV"),
        )


def _place(values: dict[str, Any]) -> tuple[datetime | None, Cursor | None]:
    """Return the instant that bounds the events of the form, and the cursor of the previous page."""
    return values["before"], Cursor.parse(values["cursor"]) if values["cursor"] else None


def _cells(event: TimelineEvent) -> list[Any]:
    changes = (f"{each['field']}: {each['before']} → {each['after']}" for each in as_json(event).get("changes", ()))
    who = lines(filter(None, (event.actor, event.credential, event.credential_maker)))
    return [instant(event.at), event.kind, event.name, event.reason, event.message or "-", who, lines(changes)]


class TimelinePages:
    """Mixin for the admin of accounts: adds the timeline page and links it below the latest changes."""

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
