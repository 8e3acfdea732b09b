"""Pages of admin lists behind a place: neither a full count nor an offset, so that the last page costs what the first
does.

Start with `KeysetChangeList.get_results`. The query parameter `p` holds the place, encrypted, since it consists of
values of a row.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, SEARCH_VAR
from django.core.exceptions import FieldDoesNotExist
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.views import ChangeList

from milo import continue_tokens
from milo.admin.panels import MOST_COUNTED, counted
from milo.admin.plans import planned_for_their_values
from milo.errors import Refused

# as indexes name the key
_KEYS = {"pk": "id", "-pk": "-id"}


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """Counts at most 1,001 rows. Its pages serve fields with suggestions; those of lists are of `KeysetChangeList`."""

    template_name = "milo/pages.html"

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        with planned_for_their_values():
            return len(rows.order_by().values_list("pk", flat=True)[: MOST_COUNTED + 1])


class KeysetPages:
    """Mixin for every ModelAdmin of the site; list it first."""

    paginator: Any = CappedPaginator
    # both would count the whole table
    show_full_result_count = False
    show_facets = ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList


class KeysetChangeList(ChangeList):
    """A page of a list. `previous_page` and `next_page` are query strings, "" at an end; `number` counts for people.

    Any column can be sorted by while the list has at most 1,000 rows. More are sorted by an index only, those of a span
    of values by its own: in another order, all rows outside of the span could be read first.
    """

    previous_page = next_page = ""
    query: str
    queryset: QuerySet[Any]
    result_count: int

    @property
    def number(self) -> str:
        return counted(self.result_count)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        # Django drops a text with null characters; without one, the empty list would be one that nothing is in yet
        self.query = self.query or request.GET.get(SEARCH_VAR, "").replace("\0", "\N{SYMBOL FOR NULL}")
        return super().get_queryset(request, exclude_parameters)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Return the fields to order by, each once. The key, which decides last, follows the direction of the first."""
        first: dict[str, Any] = {}
        for term in super().get_ordering(request, queryset):
            # behind the column that was asked for comes the order of the list, which may name it again
            first.setdefault(str(term).lstrip("-"), term)
        return _with_key([*first.values()])

    def get_results(self, request: HttpRequest) -> None:
        """Find the rows of the page.

        A filter that few rows match is asked once, without an order: the planner would rather go through the whole
        table in the order of the list to find them. A search of a long list has found their keys already.
        """
        with planned_for_their_values():
            self._find(request)

    def _find(self, request: HttpRequest) -> None:
        few = getattr(request, "found_keys", None)
        if few is None:
            few = list(self.queryset.order_by().values_list("pk", flat=True)[: MOST_COUNTED + 1])
        if len(few) <= MOST_COUNTED:
            rows = self.root_queryset.filter(pk__in=few).order_by(*self.queryset.query.order_by)
            self.queryset = rows if rows.query.select_related else self.apply_select_related(rows)
        else:
            self._sort_by_index_only(request)
        self.result_count = self.full_result_count = len(few)
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = len(few) > self.list_per_page
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        self.result_list = self._page(request.GET.get(PAGE_VAR, ""))

    def _sort_by_index_only(self, request: HttpRequest) -> None:
        self.sortable_by = [name for name in self.list_display if self._is_quick(name)]
        asked = self.queryset.query.order_by
        if ORDER_VAR in self.params and not _has_index(self.model, asked):
            del self.params[ORDER_VAR]
            del self.filter_params[ORDER_VAR]
            self.queryset = self.queryset.order_by(*self.get_ordering(request, self.queryset.order_by()))
        if ORDER_VAR not in self.params and (order := self._order_of_filters()):
            self.queryset = self.queryset.order_by(*order)

    def _order_of_filters(self) -> Sequence[str]:
        """Return `in_order` of the first filter in use that has one: the fields whose index the filter reads."""
        used = (spec for spec in self.filter_specs if any(spec.used_parameters.values()))
        return next((spec.in_order for spec in used if hasattr(spec, "in_order")), ())

    def _is_quick(self, column: str) -> bool:
        field = self.get_ordering_field(column)
        return bool(field) and _has_index(self.model, _with_key(self._get_deterministic_ordering([field])))

    def behind(self, row: Any, *, backward: bool = False) -> str:
        """Return the query string of the page behind `row`, or before it, with search, filters and order."""
        place = [backward, *(_value(row, term.lstrip("-")) for term in self._ordering)]
        query: str = self.get_query_string({PAGE_VAR: continue_tokens.seal(place, self._purpose)})
        return query

    @property
    def _ordering(self) -> tuple[str, ...]:
        return tuple(map(str, self.queryset.query.order_by))

    @property
    def _purpose(self) -> str:
        return f"list {self.opts.label} {' '.join(self._ordering)}"

    def _page(self, token: str) -> list[Any]:
        backward, place = _place(token, self._purpose, len(self._ordering))
        rows = self.queryset
        if place:
            rows = rows.filter(_behind(self.model, self._ordering, place, backward=backward))
        found = list((rows.reverse() if backward else rows)[: self.list_per_page + 1])
        more, shown = len(found) > self.list_per_page, found[: self.list_per_page]
        if backward and not more:
            # rows were added or taken away meanwhile: the first page is whole again
            return self._page("")
        if backward:
            shown.reverse()
        if shown and (more or backward):
            self.next_page = self.behind(shown[-1])
        if shown and place:
            self.previous_page = self.behind(shown[0], backward=True)
        return shown


def _with_key(ordering: Sequence[Any]) -> list[Any]:
    first, last = ordering[0], ordering[-1]
    return [*ordering[:-1], "pk"] if last == "-pk" and not str(first).startswith("-") else list(ordering)


def _place(token: str, purpose: str, length: int) -> tuple[bool, list[Any]]:
    """Return the direction of a page and the values that it begins behind; none for the first page.

    A token of another list, order or key leads to the first page, as does the number of a page of old.
    """
    try:
        backward, *values = continue_tokens.unseal(token, purpose) if token else [False]
    except Refused:
        return False, []
    return (bool(backward), values) if len(values) == length else (False, [])


def _behind(model: type[Model], ordering: Sequence[str], values: Sequence[Any], *, backward: bool) -> Q:
    """Return the condition for rows behind a place, where columns may be NULL, in one direction."""
    behind = Q(pk__in=[])
    for term, value in reversed(list(zip(ordering, values, strict=True))):
        name, descending = term.lstrip("-"), term.startswith("-") != backward
        same = Q(**{f"{name}__isnull": True}) if value is None else Q(**{name: value})
        behind = _beyond(model, name, value, descending) | (same & behind)
    name, value, descending = ordering[0].lstrip("-"), values[0], ordering[0].startswith("-") != backward
    if _is_nullable(model, name):
        return behind
    # the same again for the planner, which does not see in alternatives where to begin in an index
    return Q(**{f"{name}__{'lte' if descending else 'gte'}": value}) & behind


def _beyond(model: type[Model], name: str, value: Any, descending: bool) -> Q:
    nulls_last = connection.features.nulls_order_largest != descending
    if value is None:
        return Q(pk__in=[]) if nulls_last else Q(**{f"{name}__isnull": False})
    beyond = Q(**{f"{name}__{'lt' if descending else 'gt'}": value})
    return beyond | Q(**{f"{name}__isnull": True}) if nulls_last and _is_nullable(model, name) else beyond


def _is_nullable(model: type[Model], path: str) -> bool:
    try:
        return path != "pk" and any(field.null for field in get_fields_from_path(model, path))
    except FieldDoesNotExist:
        return False  # a number that the queryset adds


def _value(row: Any, path: str) -> Any:
    for name in path.split(LOOKUP_SEP):
        row = getattr(row, name, None)
    value = row.pk if isinstance(row, Model) else row
    # instants, days and amounts are read from their text by the field they are compared with
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _has_index(model: type[Model], ordering: Sequence[Any]) -> bool:
    """Return whether rows are read in this order: of a column without duplicates, or of an index."""
    columns = [_KEYS.get(term, term) for term in map(str, ordering)]
    if any(field.name == columns[0].lstrip("-") and field.unique for field in model._meta.concrete_fields):
        return True
    opposite = [column[1:] if column.startswith("-") else f"-{column}" for column in columns]
    return any(list(index.fields) in (columns, opposite) for index in model._meta.indexes if index.condition is None)
