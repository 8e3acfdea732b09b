"""Filter of a list by a row of another table, which people choose by a search.

The library asks for the chosen row twice. Here it is asked for once, and not at all where a row of the list holds it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import Model
from django.db.models.constants import LOOKUP_SEP
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.contrib.filters.forms import AutocompleteDropdownForm


class _Chosen(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in the stubs only
    held: Model | None = None

    def clean(self, value: Any) -> Any:
        """Accept any key: of one that no row has, the list is empty."""
        return value


class _Select(AutocompleteSelect):
    def optgroups(self, name: str, value: Sequence[str], attr: dict[str, Any] | None = None) -> list[Any]:
        field: Any = self.choices.field
        if field.held is None or str(field.held.pk) not in value:
            return super().optgroups(name, value, attr)
        label = field.label_from_instance(field.held)
        options = [
            self.create_option(name, "", "", False, 0),
            self.create_option(name, field.held.pk, label, True, 1),
        ]
        return [(None, options, 0)]


class _Form(AutocompleteDropdownForm):
    field, widget = _Chosen, _Select


class RelatedFilter(AutocompleteSelectFilter):
    """The row at a foreign key. Name the field in `list_filter`, with this class."""

    form_class = _Form

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            choice["form"].fields[self.lookup_kwarg].held = _held(changelist.result_list, self.field_path)
            yield choice


def _held(rows: Sequence[Any], path: str) -> Model | None:
    """Return the row at `path` that the first of `rows` holds in memory."""
    row = rows[0] if rows else None
    for name in path.split(LOOKUP_SEP):
        if row is None or not row._meta.get_field(name).is_cached(row):
            return None
        row = getattr(row, name)
    return row
