"""A field for one of very many rows: the page holds the chosen one, and the server searches while somebody types."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, JsonResponse, QueryDict
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminTextInputWidget

from milo.admin import searches
from milo.admin.lookups import MOST_WORDS

SEARCH = "search"
# what is typed as a name is no key, though it may look like one
_BY_NAME = "name:"
AT_ONCE, MOST_PAGES, LONGEST = 20, 50, 200


class SuggestingSelect(UnfoldAdminSelect2Widget):
    """Asks the page that it is on, as Django's own `autocomplete.js` does.

    Without script it keeps what is chosen, and a box beside it takes the name of another.
    """

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        says = _("Or its whole name, as it is written")
        typed = UnfoldAdminTextInputWidget(attrs={"aria-label": says, "placeholder": says, "maxlength": LONGEST})
        text = str(value).removeprefix(_BY_NAME) if str(value).startswith(_BY_NAME) else ""
        box = typed.render(f"{name}-name", text, renderer=renderer)
        return format_html("{}<noscript>{}</noscript>", super().render(name, value, attrs, renderer), box)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        typed = data.get(f"{name}-name", "").strip()
        return f"{_BY_NAME}{typed}" if typed else super().value_from_datadict(data, files, name)

    def optgroups(self, name: str, value: Sequence[str], attrs: dict[str, Any] | None = None) -> list[Any]:
        field: SuggestedRow = self.choices.field
        options = [self.create_option(name, "", field.nothing, False, 0)]
        if chosen := field.row_of(value[0] if value else ""):
            options.append(self.create_option(name, chosen.pk, field.label_from_instance(chosen), True, 1))
        return [(None, options, 0)]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        field: SuggestedRow = self.choices.field
        asking = {
            "class": "admin-autocomplete",
            "data-ajax--cache": "true",
            "data-ajax--delay": 250,
            "data-ajax--url": f"?{SEARCH}={name}",
            "data-allow-clear": "false" if field.required else "true",
            "data-placeholder": str(field.nothing or gettext_lazy("Type to search")),
        }
        return super().get_context(name, value, {**(attrs or {}), **asking})

    class Media:
        # in this order among those of the parent
        js = ("admin/js/jquery.init.js", "admin/js/autocomplete.js")


class SuggestedRow(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in the stubs only
    """One of `queryset`; those of `offered` are suggested, with `label_of` as their words, and `nothing` for none.

    Words are searched in the fields `paths`; the first of them sorts.
    """

    widget = SuggestingSelect
    paths: Sequence[str] = ("name", "display_name")
    offered: QuerySet[Any] | None = None
    label_of: Callable[[Any], str] = str
    nothing: Any = ""

    def label_from_instance(self, row: Model) -> str:
        return self.label_of(row)

    def to_python(self, value: Any) -> Any:
        """Return the row with the key `value`, or the one with the name that was typed."""
        if not isinstance(value, str) or not value.startswith(_BY_NAME):
            return super().to_python(value)
        name = value.removeprefix(_BY_NAME)
        named = [] if "\0" in name else list(self.queryset.filter(**{self.paths[0]: name})[:2])  # type: ignore[union-attr]
        if len(named) != 1:
            raise ValidationError(self.error_messages["invalid_choice"], "invalid_choice", {"value": name})
        return named[0]

    def row_of(self, value: Any) -> Any:
        """Return the row with the key `value`; None if there is none that the field accepts."""
        try:
            return self.to_python(value)
        except ValidationError:
            return None

    def suggestions(self, term: str, page: str) -> dict[str, Any]:
        """Return a page of the rows in which each word of `term` is found, as Django's view of suggestions does."""
        rows = self.queryset if self.offered is None else self.offered
        if "\0" in term:
            # no text that is stored has it
            rows = self.queryset.none()  # type: ignore[union-attr]
            term = ""
        for word in list(searches.words_of(term[:LONGEST]))[:MOST_WORDS]:
            rows = rows.filter(searches.condition(rows.model, self.paths, word))  # type: ignore[union-attr]
        number = min(int(page), MOST_PAGES) if page.isascii() and page.isdecimal() and 0 < len(page) < 9 else 1
        start = max(number - 1, 0) * AT_ONCE
        found = list(rows.order_by(self.paths[0], "pk")[start : start + AT_ONCE + 1])  # type: ignore[union-attr]
        return {
            "results": [{"id": str(row.pk), "text": self.label_from_instance(row)} for row in found[:AT_ONCE]],
            "pagination": {"more": len(found) > AT_ONCE and number < MOST_PAGES},
        }


class SuggestedUser(SuggestedRow):
    """One of the users of `queryset`, by user name; found by the person's name, too."""

    paths = ("username", "first_name", "last_name")


def suggest(form: forms.BaseForm, asked: QueryDict) -> JsonResponse:
    """Answer the search in a field of a form. Raises Http404 for a field that has none."""
    field = form.fields.get(asked.get(SEARCH, ""))
    if not isinstance(field, SuggestedRow) or field.disabled:
        raise Http404
    return JsonResponse(field.suggestions(asked.get("term", ""), asked.get("page", "")))
