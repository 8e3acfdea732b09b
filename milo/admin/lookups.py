"""What the address of a staff list may ask: the lookups of its filters, and the fields that its search names."""

from typing import Any

from django.http import HttpRequest

# what filters of lists send; a regular expression would keep SQLite busy for seconds, a prefix guesses at secrets
_LOOKUPS = ("", "__exact", "__id__exact", "__in", "__isnull", "__isempty")


class NamedLookups:
    """A mixin for every ModelAdmin of the site, before Django's: it would let any field be asked by any lookup."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Whether `list_filter` names the field of a lookup, or `search_fields` names it and it must be equal."""
        admin: Any = self
        filtered = {name for item in admin.list_filter for name in _parameters(item)}
        searched = {name.lstrip("^=@") for name in admin.search_fields}
        return lookup in filtered | searched | {f"{name}__exact" for name in searched}


def _parameters(item: Any) -> list[str]:
    """The parameters of one entry of `list_filter`: a field, a field with its filter, or a filter with a parameter."""
    if isinstance(item, type):
        return [item.parameter_name]  # type: ignore[attr-defined]
    field = item if isinstance(item, str) else item[0]
    return [f"{field}{lookup}" for lookup in _LOOKUPS]
