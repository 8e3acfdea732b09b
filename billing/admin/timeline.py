"""The timeline of an account: the same events as the subresource `history` of the API, as pages and CSV."""

from datetime import datetime
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.admin.account_report import AccountReport
from billing.admin.wording import UID, said
from billing.models import BillingAccount
from billing.services.timeline import KINDS, Cursor, EventFilter, TimelineEvent
from billing.services.timeline_table import as_json, readable_timeline, rows, whole_timeline
from milo.admin.actors import request_actor
from milo.admin.changed_values import change_in_words
from milo.admin.exports import respond_recorded
from milo.admin.forms import ActForm, Instant, Select, Text, refuse_backwards
from milo.admin.panels import Panel, instant, lines
from milo.admin.reasons import reason
from milo.errors import Refused

PER_PAGE = 100


class TimelineForm(ActForm):
    kind = Select(required=False, label=gettext_lazy("What"))
    person = Text(
        required=False,
        max_length=200,
        label=gettext_lazy("Who"),
        help_text=gettext_lazy("A user name, or the whole name of an actor, such as system:deliveries."),
    )
    since = Instant(required=False, label=gettext_lazy("From"), help_text=gettext_lazy("An instant in UTC."))
    before = Instant(required=False, label=gettext_lazy("Before"), help_text=gettext_lazy("An instant in UTC."))
    # only links to the next page carry the cursor: submitting the form starts again with the first page
    cursor = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = sorted((_kind(apps.get_model("billing", kind)), kind) for kind in KINDS)
        self.fields["kind"].choices = [("", _("everything")), *((kind, title) for title, kind in kinds)]  # type: ignore[attr-defined]

    def clean_person(self) -> str:
        """Return the name of the actor; a name without kind is that of a user."""
        person: str = self.cleaned_data["person"]
        return person if ":" in person or not person else f"user:{person}"

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        refuse_backwards(self, "since", "before")
        try:
            if values.get("cursor"):
                Cursor.parse(values["cursor"])
        except Refused as refusal:
            message = refusal.causes[0].message if refusal.causes else refusal.message
            self.add_error("before", message)
        return values


class Timeline(AccountReport):
    """Phases, revisions with their difference, suspensions, approvals, charges, bindings and notices, newest first."""

    name = "timeline"
    title = gettext_lazy("Everything that happened")
    icon = "history"
    tab = "timeline"
    form_class = TimelineForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.form_class(request.GET.dict())
        if "csv" in request.GET and form.is_valid():
            account, actor, values = self.account, request_actor(request), form.cleaned_data
            events = whole_timeline(account, *_place(values), only=_only(values), actor=actor)
            return respond_recorded(request, type(account), rows(map(as_json, events)), f"{account.name}-history")
        return super().get(request, *args, **kwargs)

    def table(self, values: dict[str, Any]) -> Panel:
        account, actor = self.account, request_actor(self.request)
        events, following = readable_timeline(account, *_place(values), only=_only(values), limit=PER_PAGE, actor=actor)
        names = ("kind", "person", "since", "before")
        asked = {name: self.request.GET.get(name, "") for name in names}
        return Panel(
            str(account),
            [_("When"), _("What"), _("Reason"), _("Message"), _("Who"), _("Changes")],
            [_cells(event) for event in events],
            following=self.query(**asked, cursor=following) if following else "",
            more=self.query(**asked, csv="1"),
            more_title=_("CSV"),
        )


def _place(values: dict[str, Any]) -> tuple[datetime | None, Cursor | None]:
    """Return the instant that bounds the events of the form, and the cursor of the previous page."""
    return values["before"], Cursor.parse(values["cursor"]) if values["cursor"] else None


def _only(values: dict[str, Any]) -> EventFilter:
    return EventFilter(values["kind"], values["person"], values["since"])


def _cells(event: TimelineEvent) -> list[Any]:
    model = apps.get_model("billing", event.kind)
    who = lines(filter(None, (event.actor, event.credential, event.credential_maker)))
    changes = (change_in_words(model, name, *values) for name, values in event.changes.items())
    return [
        instant(event.at),
        _subject(model, event),
        reason(event.reason),
        said(event.message),
        who,
        lines(changes),
    ]


def _kind(model: type[Model]) -> str:
    return str(capfirst(str(model._meta.verbose_name)))


def _subject(model: type[Model], event: TimelineEvent) -> str:
    """Return kind and name of the object, as a link where it has a page."""
    title = _kind(model)
    # those without a name have a uid instead, which nobody reads
    text = title if UID.fullmatch(event.name) else f"{title} {event.name}"
    if not admin.site.is_registered(model):
        return text
    page = reverse(f"admin:billing_{model._meta.model_name}_change", args=[event.row_id])
    return format_html('<a href="{}" class="text-link">{}</a>', page, text)


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
