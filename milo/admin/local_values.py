"""Instants and numbers in columns of lists and fields of pages, as the person reads them; with UTC as title."""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from functools import cache, wraps
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.models import DateTimeField, DecimalField, IntegerField, Model
from django.http import HttpRequest, HttpResponse

from milo.admin.panels import instant, number_text


class LocalValues:
    """Mixin for every ModelAdmin of the site: shows each instant by `instant`, and each number by `number_text`."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page = super().get_changelist_instance(request)  # type: ignore[misc]
        page.list_display = self._local(page.list_display)
        page.list_display_links = self._local(page.list_display_links or ())
        page.sortable_by = self._local(page.sortable_by)
        return page

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        form = context["adminform"]
        shown = dict(zip(form.readonly_fields, self._local(form.readonly_fields), strict=True))
        form.fieldsets = [
            (title, {**options, "fields": [_replaced(field, shown) for field in options["fields"]]})
            for title, options in form.fieldsets
        ]
        form.readonly_fields = list(shown.values())
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return response

    def _local(self, names: Iterable[Any]) -> list[Any]:
        return [_column(self, name) if isinstance(name, str) else name for name in names]


def _replaced(field: Any, shown: dict[Any, Any]) -> Any:
    """Return what is shown of a field, or of each of those on one line."""
    return shown.get(field, field) if isinstance(field, str) else [shown.get(each, each) for each in field]


@cache
def _column(model_admin: Any, name: str) -> Any:
    """Return a function of a row for the column or field `name`, or its name where Django may show it as it is.

    It is always the same function, for Django compares columns.
    """
    method = getattr(model_admin, name, None)
    if name not in ("action_checkbox", "__str__") and callable(method):
        return _locally(method)
    try:
        field: Any = model_admin.model._meta.get_field(name)
    except FieldDoesNotExist:
        return name
    if field.is_relation or field.choices or not isinstance(field, DateTimeField | DecimalField | IntegerField):
        return name

    def value(row: Model) -> Any:
        found = getattr(row, name)
        return "-" if found is None else found

    value.__name__ = name
    value.short_description = field.verbose_name  # type: ignore[attr-defined]
    value.admin_order_field = name  # type: ignore[attr-defined]
    return _locally(value)


def _locally(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(function)
    def shown(row: Any) -> Any:
        value = function(row)
        if isinstance(value, datetime):
            return instant(value)
        return number_text(value) if type(value) in (int, Decimal) else value

    return shown
