"""What the address of a staff list may ask: the lookups of its filters, and the fields that its search names."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

# what filters of lists send; a regular expression would keep SQLite busy for seconds, a prefix guesses at secrets
_LOOKUPS = ("", "__exact", "__id__exact", "__in", "__isnull", "__isempty")


# SQLite takes no number of more than 64 bits, and no key has one
_BEYOND_KEYS = 2**63
# each word is looked for in each field: the work of a page is the product
MOST_WORDS = 20


class NamedLookups:
    """A mixin for every ModelAdmin of the site, before Django's: it would let any field be asked by any lookup."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Whether `list_filter` names the field of a lookup, or `search_fields` names it and it must be equal."""
        if any(map(_is_beyond_keys, value.split(","))):
            return False
        admin: Any = self
        filtered = {name for item in admin.list_filter for name in _parameters(item)}
        searched = {name.lstrip("^=@") for name in admin.search_fields}
        return lookup in filtered | searched | {f"{name}__exact" for name in searched}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """As Django, for at most 20 words; a longer search finds nothing and says so."""
        if len(search_term.split()) > MOST_WORDS:
            messages.error(request, _("Search for at most %(words)d words.") % {"words": MOST_WORDS})
            return queryset.none(), False
        admin: Any = super()
        found: tuple[QuerySet[Any], bool] = admin.get_search_results(request, queryset, search_term)
        return found


def _is_beyond_keys(text: str) -> bool:
    try:
        return abs(int(text)) >= _BEYOND_KEYS
    except ValueError:
        return False


def _parameters(item: Any) -> list[str]:
    """The parameters of one entry of `list_filter`: a field, a field with its filter, or a filter with a parameter."""
    if isinstance(item, type):
        return [item.parameter_name]  # type: ignore[attr-defined]
    field = item if isinstance(item, str) else item[0]
    return [f"{field}{lookup}" for lookup in _LOOKUPS]
