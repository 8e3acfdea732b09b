"""The ledger for auditors: who changed what, when and why, over all histories that the person may see."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBadRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from milo import audit, personal
from milo.admin.changed_values import change_in_words
from milo.admin.exports import MOST_ROWS, cell_value, record_export, send
from milo.admin.forms import ActForm, Day, Select, Text, refuse_backwards
from milo.admin.ledger import LedgerAdmin
from milo.admin.ledger_bundle import AT_ONCE, TooMany, ledger_bundle
from milo.admin.messages import why
from milo.admin.panels import Panel, instant, lines
from milo.admin.personal import shows_personal
from milo.admin.reasons import choices
from milo.admin.reports import Report
from milo.continue_tokens import Malformed, Unreadable
from milo.dates import end_of, midnight
from milo.ledger.entries import Entry, Place, Selection, entries
from milo.ledger.export import NothingSealed
from milo.ledger.models import Inspection

ON_A_PAGE = 50
A_WEEK = timedelta(days=7)
_MACHINERY = {"managed_fields", "generation", "phase_since", "id"}


class LedgerForm(ActForm):
    person = Text(
        required=False,
        max_length=200,
        label=gettext_lazy("Person"),
        help_text=gettext_lazy("A user name, or an actor such as system:archivist. Empty for everybody."),
    )
    kind = Select(required=False, label=gettext_lazy("Kind"))
    object = Text(
        required=False, max_length=200, label=gettext_lazy("Object"), help_text=gettext_lazy("Its name, or its UID.")
    )
    action = Select(choices=lambda: [("", _("All")), *choices()], required=False, label=gettext_lazy("Action"))
    since = Day(required=False, label=gettext_lazy("From"))
    until = Day(required=False, label=gettext_lazy("Until"), help_text=gettext_lazy("This day included (UTC)."))
    after = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        refuse_backwards(self, "since", "until")
        return values

    def clean_after(self) -> Place | None:
        try:
            return Place.parse(self.cleaned_data["after"]) if self.cleaned_data["after"] else None
        except (Malformed, Unreadable):
            # above the form, since the field is hidden
            self.add_error(None, _("This page cannot be found any more: show the list again."))
            return None


class WholeLedger(Report):
    """Every change that the person may see, newest first; a page is found by the place of the entry before it."""

    name = "ledger"
    title = gettext_lazy("Ledger")
    icon = "menu_book"
    in_side_bar = True
    form_class = LedgerForm
    formats = ("csv", "xlsx")
    http_method_names = ["get", "head", "post"]

    def defaults(self) -> dict[str, Any]:
        return {"since": (timezone.now() - A_WEEK).date().isoformat()}

    def form(self, data: dict[str, Any]) -> ActForm:
        form = super().form(data)
        kinds = ((model._meta.label_lower, capfirst(str(model._meta.verbose_name))) for model in self._models())
        form.fields["kind"].choices = [("", _("All")), *sorted(kinds, key=lambda kind: kind[1])]  # type: ignore[attr-defined]
        return form

    def table(self, values: dict[str, Any]) -> Panel:
        shown, place = entries(self._asked(values), _selection(values), values["after"], limit=ON_A_PAGE)
        asked = {name: value for name, value in values.items() if name != "after"}
        return Panel(
            _verification(),
            self._head(),
            [self._cells(entry) for entry in shown],
            following=self.query(**asked, after=place) if place else "",
            # what changes nothing is in no history
            more=reverse("admin:identity_login_exports"),
            more_title=_("Exports and revealed data"),
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send all entries that the filter selects as a table, in a bundle that proves them without Milo."""
        form, suffix = self.form({**self.defaults(), **request.GET.dict()}), request.POST.get("format", "")
        if suffix not in self.formats or not form.is_valid():
            return HttpResponseBadRequest(_("There is no such file."))
        values = form.cleaned_data
        models, selection = self._asked(values), _selection(values)
        try:
            file, number = ledger_bundle(
                suffix, self._file_rows(models, selection), models, selection, personal=shows_personal(request)
            )
        except NothingSealed:
            messages.error(request, _("Nothing of this time is sealed yet."))
        except TooMany:
            messages.error(request, _("A file has at most %(rows)d rows: filter the list.") % {"rows": MOST_ROWS})
        else:
            record_export(request, Inspection, str(self.title), f"{suffix}, {number} rows", request.GET.urlencode())
            return send(request, file, f"ledger-{timezone.now():%Y-%m-%d}.zip", "application/zip")
        return HttpResponseRedirect(request.get_full_path())

    def _file_rows(self, models: list[type[Model]], selection: Selection) -> Iterator[list[Any]]:
        """Yield the head and the cells of all entries, page by page."""
        yield self._head()
        place: Place | None = None
        while True:
            page, place = entries(models, selection, place, limit=AT_ONCE)
            for entry in page:
                yield [personal.shown(str(cell_value(cell) or "")) for cell in self._cells(entry)]
            if place is None:
                return

    @staticmethod
    def _head() -> list[str]:
        return [_("When"), _("Who"), _("Kind"), _("Object"), _("Why"), _("Changes"), _("Seal")]

    def _asked(self, values: dict[str, Any]) -> list[type[Model]]:
        return [model for model in self._models() if values["kind"] in ("", model._meta.label_lower)]

    def _cells(self, entry: Entry) -> list[Any]:
        row = entry.row
        return [
            format_html('<span class="whitespace-nowrap">{}</span>', instant(row.history_date)),
            row.history_user_id,
            capfirst(str(entry.model._meta.verbose_name)),
            self._link(entry),
            why(row.history_summary),
            lines(self._changes(entry)),
            _("sealed") if entry.sealed else _("awaits a seal"),
        ]

    def _link(self, entry: Entry) -> SafeString | str:
        if not self._page_of(entry.model):
            return entry.name
        name = f"admin:{entry.model._meta.app_label}_{entry.model._meta.model_name}_history"
        return format_html('<a href="{}" class="text-link">{}</a>', reverse(name, args=[entry.row.id]), entry.name)

    def _changes(self, entry: Entry) -> Iterator[str]:
        """Yield what the page of the history shows; of users and credentials there is none, as it would be personal."""
        if self._page_of(entry.model):
            for name, values in audit.difference(entry.model, entry.before, entry.row, _MACHINERY).items():
                yield change_in_words(entry.model, name, *values)

    def _models(self) -> list[type[Model]]:
        """Return the models whose history the person may see.

        Without a page of its own it may be seen by whoever sees all pages of the application.
        """
        pages = {model: self._page_of(model) for model in audit.histories()}
        seen = {model: page.has_view_permission(self.request) for model, page in pages.items() if page}
        closed = {model._meta.app_label for model, is_seen in seen.items() if not is_seen}
        return [model for model in pages if seen.get(model, model._meta.app_label not in closed)]

    def _page_of(self, model: type[Model]) -> LedgerAdmin | None:
        page = self.admin.admin_site._registry.get(model)
        return page if isinstance(page, LedgerAdmin) else None


def _selection(values: dict[str, Any]) -> Selection:
    return Selection(
        values["person"],
        values["object"],
        values["action"],
        midnight(values["since"]) if values["since"] else None,
        end_of(values["until"]) if values["until"] else None,
    )


def _verification() -> str:
    """Return the result of the last verification of the ledger in words."""
    verified = Inspection.objects.filter(name="verify").first()
    if verified is None:
        return _("Newest first. The seals have not been verified yet.")
    faults = _("%(number)d faults") % {"number": verified.violations} if verified.violations else _("no faults")
    day = formats.date_format(timezone.localtime(verified.at), "SHORT_DATETIME_FORMAT")
    return _("Newest first. Seals verified %(at)s: %(faults)s.") % {"at": day, "faults": faults}
