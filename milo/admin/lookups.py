"""Restriction of the query parameters of admin lists to the lookups of their filters and search fields."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from milo.admin import masked_searches, searches, word_searches

# the lookups of list filters; others are refused: a regular expression can keep SQLite busy for seconds, and with
# prefixes secrets could be guessed letter by letter
_LOOKUPS = ("", "__exact", "__id__exact", "__in", "__isnull", "__isempty")
# SQLite refuses integers beyond 64 bits, and no key is that large
_BEYOND_KEYS = 2**63
# the cost of a search is words times fields
MOST_WORDS = 20
_BEGINNINGS = gettext_lazy(
    "More than %(rows)s rows: words are found by how they begin, and only the first thousand rows are shown. Filter"
    " the list to search inside of words."
)


class NamedLookups:
    """Mixin for every ModelAdmin of the site; list it first. Django itself permits lookups of any local field.

    `masked_search_fields` are those of models without `columns`: whoever reads masks finds nothing by a part of them.
    """

    masked_search_fields: ClassVar[Sequence[str]] = ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Return whether a lookup belongs to `list_filter`, or is an exact match of one of `search_fields`."""
        if any(map(_is_beyond_keys, value.split(","))):
            return False
        admin: Any = self
        filtered = {name for item in admin.list_filter for name in _parameters(item)}
        searched = {name.lstrip("^=@") for name in admin.search_fields}
        return lookup in filtered | searched | {f"{name}__exact" for name in searched}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the rows in which each of at most 20 words is found; a longer search shows an error instead.

        A text in which there is nothing to look for, or that cannot be stored, finds nothing, and a message says so.
        In a list of more than 10,000 rows words are found by how they begin, and the page says so.
        """
        if len(search_term.split()) > MOST_WORDS:
            if page_of(request) == "changelist":
                messages.error(request, _("Search for at most %(words)d words.") % {"words": MOST_WORDS})
            return queryset.none(), False
        if "\0" in search_term + request.GET.get(SEARCH_VAR, ""):
            # Django has said so in a message, and then looks for nothing
            return queryset.none(), False
        words = [word for word in searches.words_of(search_term) if word.strip()]
        if search_term.strip() and not words:
            if page_of(request) == "changelist":
                messages.error(request, _("There is nothing to search for between the quotation marks."))
            return queryset.none(), False
        admin: Any = self
        fields = admin.get_search_fields(request)
        if words and word_searches.applies(queryset, fields):
            return _by_words(request, queryset, fields, words), False
        masked = masked_searches.masked_columns(queryset.model) & set(fields)
        found = queryset
        for word in words:
            condition = searches.condition(queryset.model, [name for name in fields if name not in masked], word)
            if masked:
                condition |= masked_searches.whole_value(queryset, sorted(masked), word)
            found = found.filter(condition)
        return self.with_more(queryset, found, search_term), False

    def with_more(self, rows: QuerySet[Any], found: QuerySet[Any], text: str) -> QuerySet[Any]:
        """Return `found`, and those of `rows` that a search for `text` finds otherwise; here there are none."""
        return found


def _by_words(request: HttpRequest, rows: QuerySet[Any], fields: Sequence[str], words: Sequence[str]) -> QuerySet[Any]:
    """Return the rows of a long list that are found; the list takes the keys from the request, a file has every row."""
    page = page_of(request)
    if page == "export":
        return rows.filter(pk__in=word_searches.found(rows, fields, words, None))
    keys = word_searches.keys(rows, fields, words)
    if page == "changelist":
        request.found_keys = keys  # type: ignore[attr-defined]
        messages.info(request, _BEGINNINGS % {"rows": number_format(word_searches.SHORT, force_grouping=True)})
    return rows.filter(pk__in=keys)


def page_of(request: HttpRequest) -> str:
    """Return the last word of the name of a page: "changelist", "export", or another.

    Only a page that shows messages may leave one: from another it would appear later, where it means nothing.
    """
    match = request.resolver_match
    return (match.url_name or "").rpartition("_")[2] if match else ""


def _is_beyond_keys(text: str) -> bool:
    try:
        return abs(int(text)) >= _BEYOND_KEYS
    except ValueError:
        return False


def _parameters(item: Any) -> list[str]:
    """Return the query parameters of an entry of `list_filter`: a field, a field with a filter, or a filter class."""
    if isinstance(item, type):
        return [item.parameter_name]  # type: ignore[attr-defined]
    field = item if isinstance(item, str) else item[0]
    suffixes = () if isinstance(item, str) else getattr(item[1], "suffixes", ())
    return [f"{field}{lookup}" for lookup in (*_LOOKUPS, *suffixes)]
