"""The home page: what waits for people, counted up to a bound, with the age of the oldest, and charts."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Min, QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise

from milo.admin.panels import MOST_COUNTED, Attention, Panel


def attention(title: str | Promise, rows: QuerySet[Any], since: str, address: str, *, daily: bool = False) -> Attention:
    """Return the item of the home page for `rows`, of which `since` is the column with the beginning of the wait.

    One query, which reads at most 1,001 rows: counting all of them took longer than the page. `daily` items are shown
    even if nothing waits.
    """
    few = rows.order_by(since).values(since)[: MOST_COUNTED + 1]
    values = few.aggregate(number=Count("*"), oldest=Min(since))
    return Attention(title, values["number"], address, values["oldest"], daily)


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
