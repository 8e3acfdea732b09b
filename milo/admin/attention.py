"""The home page: what waits for people, counted up to a bound, with the age of the oldest, and charts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db import connection
from django.db.models import Count, Min, Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from milo.admin import estimates
from milo.admin.panels import MOST_COUNTED, Attention, Panel, number_text
from milo.admin.plans import number_up_to, planned_for_their_values

LONG = 100_000
"""The rows of a table of at most this many are counted."""


def attention(title: str | Promise, rows: QuerySet[Any], since: str, address: str, *, daily: bool = False) -> Attention:
    """Return the item of the home page for `rows`, of which `since` is the column with the beginning of the wait.

    One query, which reads at most 1,001 rows: counting all of them took longer than the page. `daily` items are shown
    even if nothing waits.
    """
    few = rows.order_by(since).values(since)[: MOST_COUNTED + 1]
    with planned_for_their_values():
        values = few.aggregate(number=Count("*"), oldest=Min(since))
    return Attention(title, values["number"], address, values["oldest"], daily)


@dataclass(frozen=True, slots=True)
class Number:
    """A number of rows; `is_about` if it is estimated."""

    number: int
    is_about: bool = False

    def __str__(self) -> str:
        number = number_text(self.number)
        return _("about %(number)s") % {"number": number} if self.is_about else number


def numbers_by(model: type[Model], column: str, values: Iterable[str]) -> dict[str, Number]:
    """Return how many rows of `model` have each of the values in a column, which has an index.

    Of a long table, the rows of a value are counted up to 1,001; if there are more, their number is estimated.
    """
    rows, table = model._base_manager.order_by(), model._meta.db_table
    all_rows = estimates.of_tables().get(table, 0) if connection.vendor == "postgresql" else 0
    if all_rows <= LONG:
        counts = dict(rows.values_list(column).annotate(Count("pk")))
        return {value: Number(counts.get(value, 0)) for value in values}
    shares = estimates.shares(table, column)
    few = {value: number_up_to(rows.filter(**{column: value}), MOST_COUNTED + 1) for value in values}
    return {
        value: Number(max(number, round(shares.get(value, 0) * all_rows)), is_about=True)
        if number > MOST_COUNTED
        else Number(number)
        for value, number in few.items()
    }


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the items and charts of the home page that the person may see. For unfold's setting DASHBOARD_CALLBACK."""
    site: Any = admin.site
    items: list[Attention] = site.attention(request)
    return {
        **context,
        "attention": sorted((item for item in items if item.count or item.daily), key=lambda item: not item.daily),
        "charts": charts(request),
    }


def charts(request: HttpRequest) -> list[Panel]:
    """Return the charts of the home page from all models that the person may see."""
    return [
        chart
        for model_admin in admin.site._registry.values()
        if hasattr(model_admin, "charts") and model_admin.has_view_permission(request)
        for chart in model_admin.charts(request)
    ]
