"""Read-only pages for auditors: log-ins, the whole ledger, and changes of users, roles and credentials."""

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from milo import personal
from milo.admin.exports import EXPORTED
from milo.admin.forms import ActForm, Day, Select, Text, refuse_backwards
from milo.admin.ledger_report import WholeLedger
from milo.admin.messages import why
from milo.admin.panels import Panel, badge, instant
from milo.admin.personal import REVEALED
from milo.admin.read_only import ReadOnlyAdmin
from milo.admin.reasons import choices
from milo.admin.reports import Report
from milo.continue_tokens import Malformed, Unreadable
from milo.dates import end_of, midnight
from milo.identity.access import LOG_INS
from milo.identity.changes import Place, changes
from milo.identity.models import LogIn

ON_A_PAGE = 50
# of integers of 64 bits
_LAST_KEY = 2**63 - 1
# the words of a search: in the record of an export up to the next filter, in that of a search up to the end
_SEARCHED = {EXPORTED: re.compile(r"\bq=([^&]+)"), REVEALED: re.compile(r"\bq=(.+)")}
_COLORS = {"Succeeded": "success", "Failed": "warning", "LockedOut": "danger"}


class ChangesForm(ActForm):
    person = Text(
        required=False,
        max_length=150,
        label=gettext_lazy("User name"),
        help_text=gettext_lazy("Empty for all people and roles."),
    )
    after = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_after(self) -> Place | None:
        try:
            return Place.parse(self.cleaned_data["after"]) if self.cleaned_data["after"] else None
        except (Malformed, Unreadable):
            # above the form, since the field is hidden
            self.add_error(None, _("This page cannot be found any more: show the list again."))
            return None


class PeopleChanges(Report):
    """Changes of users, platform roles, tokens, identities and password links, newest first."""

    name = "people-changes"
    title = gettext_lazy("Changes to people and roles")
    icon = "manage_history"
    in_side_bar = True
    form_class = ChangesForm

    def table(self, values: dict[str, Any]) -> Panel:
        person = values["person"]
        newest = changes(ON_A_PAGE + 1, values["after"], username=person)
        more = len(newest) > ON_A_PAGE
        return Panel(
            _("Newest first"),
            [_("When"), _("Who"), _("Why"), _("User"), _("Platform role")],
            [
                [instant(change.at), change.author, why(change.reason), change.person or "-", change.role or "-"]
                for change in newest[:ON_A_PAGE]
            ],
            following=self.query(person=person, after=newest[ON_A_PAGE - 1].place) if more else "",
        )


class ExportsForm(ActForm):
    person = Text(required=False, max_length=150, label=gettext_lazy("User name"))
    action = Select(
        choices=lambda: [("", _("All")), *choices(in_admin_log=True)], required=False, label=gettext_lazy("Action")
    )
    since = Day(required=False, label=gettext_lazy("From"))
    until = Day(required=False, label=gettext_lazy("Until"), help_text=gettext_lazy("This day included (UTC)."))
    before = forms.IntegerField(required=False, min_value=1, max_value=_LAST_KEY, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        refuse_backwards(self, "since", "until")
        return values


class ListExports(Report):
    """Exports of lists, and personal data that were revealed, newest first: who, what, and by which filter or why."""

    name = "exports"
    title = gettext_lazy("Exports and revealed data")
    icon = "download"
    form_class = ExportsForm

    def table(self, values: dict[str, Any]) -> Panel:
        entries = _recorded(values).select_related("user").order_by("-pk")
        newest = list(entries[: ON_A_PAGE + 1])
        more = len(newest) > ON_A_PAGE
        for entry in newest:
            # what another person searched for may be an address or a tax number
            if entry.user_id != self.request.user.pk:
                for searched in _SEARCHED[entry.action_flag].findall(entry.change_message):
                    personal.note(searched, "searches")
        return Panel(
            _("Newest first"),
            [_("When"), _("Who"), _("List or page"), _("What")],
            [
                [instant(entry.action_time), entry.user.get_username(), entry.object_repr, why(entry.change_message)]
                for entry in newest[:ON_A_PAGE]
            ],
            following=self.query(**values | {"before": newest[ON_A_PAGE - 1].pk}) if more else "",
            more=WholeLedger.address(self.admin),
            more_title=str(WholeLedger.title),
        )


def _recorded(values: dict[str, Any]) -> QuerySet[LogEntry]:
    """Return the records that the form asks for."""
    entries = LogEntry.objects.filter(action_flag__in=(EXPORTED, REVEALED))
    if values["before"]:
        entries = entries.filter(pk__lt=values["before"])
    if values["person"]:
        entries = entries.filter(user__username=values["person"].removeprefix("user:"))
    if values["action"]:
        entries = entries.filter(change_message__startswith=f"{values['action']}:")
    if values["since"]:
        entries = entries.filter(action_time__gte=midnight(values["since"]))
    if values["until"]:
        entries = entries.filter(action_time__lt=end_of(values["until"]))
    return entries


@admin.register(LogIn)
class LogInAdmin(ReadOnlyAdmin):
    resource = LOG_INS
    icon = "login"
    nothing_yet = gettext_lazy("Log-ins are listed once somebody logs in.")
    list_display = ("at", "user_name", "outcome_badge", "address")
    list_filter = (("outcome", ChoicesDropdownFilter),)
    search_fields = ("name", "request_id")
    ordering = ("-pk",)
    fieldsets = ((None, {"fields": ("at", "user_name", "outcome_badge", "address", "request_id")}),)
    list_reports = (WholeLedger, PeopleChanges, ListExports)

    @admin.display(description=gettext_lazy("user"), ordering="name")
    def user_name(self, row: LogIn) -> str:
        return row.name or "-"

    @admin.display(description=gettext_lazy("outcome"), ordering="outcome")
    def outcome_badge(self, row: LogIn) -> str:
        return badge(row.get_outcome_display(), _COLORS.get(row.outcome, ""))
