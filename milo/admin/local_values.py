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
        self.unlink_closed(request, form)
        _replace_fields(form, shown)
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return response

    def unlink_closed(self, request: HttpRequest, form: Any) -> None:
        """Show only the names of rows whose pages the person may not open: Django links them all the same."""
        names = [name for name in form.readonly_fields if self._is_closed(request, name)]
        _replace_fields(form, {name: _unlinked(self, name) for name in names})

    def _is_closed(self: Any, request: HttpRequest, name: Any) -> bool:
        fields = {field.name: field for field in self.opts.concrete_fields}
        page = self.admin_site._registry.get(fields[name].related_model) if name in fields else None
        return page is not None and not page.has_view_permission(request)

    def _local(self, names: Iterable[Any]) -> list[Any]:
        return [_column(self, name) if isinstance(name, str) else name for name in names]


def _replace_fields(form: Any, shown: dict[Any, Any]) -> None:
    form.fieldsets = [
        (title, {**options, "fields": [_replaced(field, shown) for field in options["fields"]]})
        for title, options in form.fieldsets
    ]
    form.readonly_fields = [shown.get(field, field) for field in form.readonly_fields]


def _replaced(field: Any, shown: dict[Any, Any]) -> Any:
    """Return what is shown of a field, or of each of those on one line."""
    return [shown.get(each, each) for each in field] if isinstance(field, list | tuple) else shown.get(field, field)


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


@cache
def _unlinked(model_admin: Any, name: str) -> Any:
    """Return a function of a row for the name of the row that the field `name` points to."""

    def value(row: Model) -> str:
        found = getattr(row, name)
        return "-" if found is None else str(found)

    value.__name__ = name
    value.short_description = model_admin.opts.get_field(name).verbose_name  # type: ignore[attr-defined]
    return value


def _locally(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(function)
    def shown(row: Any) -> Any:
        value = function(row)
        if isinstance(value, datetime):
            return instant(value)
        return number_text(value) if type(value) in (int, Decimal) else value

    return shown
