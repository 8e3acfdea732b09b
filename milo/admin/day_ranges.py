"""Filter of a list by a span of days, from and until, either of which may be left open."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import RangeDateFilter

from milo.admin.forms import Day, DayInput, refuse_backwards
from milo.admin.lookups import page_of
from milo.dates import end_of, midnight, parse_day

FROM, UNTIL = "_from", "_to"


class DayRangeForm(forms.Form):
    """Two days in the browser's own input for them, which is in the person's language and sends ISO 8601."""

    def __init__(self, name: str, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        for suffix, label in ((FROM, _("From (UTC)")), (UNTIL, _("Until, this day included (UTC)"))):
            widget = DayInput(attrs={"aria-label": label, "title": label})
            self.fields[f"{name}{suffix}"] = Day(required=False, widget=widget)

    def clean(self) -> dict[str, Any]:
        refuse_backwards(self, *self.fields)
        return self.cleaned_data


class DayRangeFilter(RangeDateFilter):
    """The instant of a column lies within days (UTC). What is no day is shown as an error, and filters nothing.

    A span that ends before it begins has no rows, and an error, too.
    """

    form_class = DayRangeForm
    suffixes: ClassVar = (FROM, UNTIL)
    label: str | Promise

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = self.label

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        since, until = (self._midnight(suffix) for suffix in self.suffixes)
        if since:
            queryset = queryset.filter(**{f"{self.field_path}__gte": since})
        if since and until and until <= since and page_of(request) == "changelist":
            # the form, which says so too, is behind a button
            messages.error(
                request, _("%(filter)s: the span ends before it begins.") % {"filter": capfirst(str(self.title))}
            )
        if until:
            queryset = queryset.filter(**{f"{self.field_path}__lt": until})
        return queryset

    def _midnight(self, suffix: str) -> datetime | None:
        """Return the first instant of the day `from`, or of the day after `until`; None without."""
        try:
            day = parse_day(self.used_parameters.get(f"{self.field_path}{suffix}", ""))
        except ValueError:
            return None
        return end_of(day) if suffix == UNTIL else midnight(day)
