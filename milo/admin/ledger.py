"""Read-only pages of rows with their history."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib.admin import helpers
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from simple_history.admin import SimpleHistoryAdmin
from unfold.forms import AdminForm, Fieldline

from milo.admin.changed_values import change_in_words
from milo.admin.messages import why
from milo.admin.panels import Panel, instant
from milo.admin.read_only import ReadOnlyAdmin
from milo.keys import is_key

LATEST_CHANGES = 5

# unfold does this with its first change form; a past version may be shown before that
helpers.AdminForm = AdminForm  # type: ignore[misc]
helpers.Fieldline = Fieldline  # type: ignore[misc]


# simple-history would revert a row on POST even with the view permission only (docs/traps.md)
@method_decorator(require_safe, name="history_view")
@method_decorator(require_safe, name="history_form_view")
class LedgerAdmin(SimpleHistoryAdmin, ReadOnlyAdmin):
    """Read-only pages of a model with history."""

    show_history = True
    object_history_form_template = "milo/history_form.html"
    object_history_list_template = "milo/history_list.html"
    history_ignores: ClassVar[tuple[str, ...]] = ("managed_fields", "generation")

    def panels(self, request: HttpRequest, row: Any) -> list[Panel]:
        return [*super().panels(request, row), self.latest_changes(row)]

    def latest_changes(self, row: Any) -> Panel:
        """Return a panel of the latest changes of `row`: when, who and why."""
        changes = row.history.all()[:LATEST_CHANGES]
        return Panel(
            _("Latest changes"),
            [_("When"), _("Who"), _("Why")],
            [[instant(was.history_date), was.history_user_id, why(was.history_summary)] for was in changes],
            more=reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_history", args=[row.pk]),
        )

    def set_history_delta_changes(
        self, request: HttpRequest, historical_records: Any, foreign_keys_are_objs: bool = True
    ) -> None:
        """Set the changes and the reason that each history row of a page shows.

        The library omits fields that no form edits, such as the phase, and the oldest row of each page.
        """
        records = list(historical_records)
        for record, before in zip(records, [*records[1:], records[-1].prev_record] if records else [], strict=True):
            record.at, record.why = instant(record.history_date), why(record.history_summary)
            if before is not None:
                record.history_delta_changes = list(self._difference(before, record))

    def _difference(self, before: Any, after: Any) -> Iterator[SafeString]:
        for field in after.tracked_fields:
            values = [getattr(row, field.attname) for row in (before, after)]
            if values[0] != values[1] and field.name not in self.history_ignores:
                yield change_in_words(self.model, field.name, *values)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        if not is_key(object_id):
            raise Http404  # the library would pass it to the database
        return super().history_view(request, object_id, extra_context)

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: Any = None
    ) -> HttpResponse:
        if not (is_key(object_id) and is_key(version_id)):
            raise Http404
        record = get_object_or_404(self.model.history, pk=version_id, id=object_id)
        return super().history_form_view(
            request, object_id, version_id, {"record": record, "why": why(record.history_summary)}
        )

    def render_history_view(
        self, request: HttpRequest, template: str, context: dict[str, Any], **kwargs: Any
    ) -> HttpResponse:
        if form := context.get("adminform"):
            self.unlink_closed(request, form)
        return super().render_history_view(request, template, context, **kwargs)

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        return True
