"""Tabs of an object's page: each is an address of its own, and only the one that is open is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise

from milo.admin.panels import Panel, address

TAB = "tab"
"""The parameter of a page that names the open tab; without it the page shows the fields of the object."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A part of a page. `panels` reads it, when it is open. `address` replaces that of the page with the tab open.

    `template` is shown above the panels, with what `context` returns.
    """

    name: str
    title: str | Promise
    panels: Callable[[], list[Panel]] = list
    address: str = ""
    template: str = ""
    context: Callable[[], dict[str, Any]] = dict


@dataclass(frozen=True, slots=True)
class TabLink:
    """A tab in the row of tabs."""

    title: str | Promise
    address: str
    is_open: bool


def open_tab(request: HttpRequest, tabs: Sequence[Tab]) -> Tab | None:
    """Return the open one of `tabs`; None where the page shows the fields of the object."""
    name = request.GET.get(TAB, "")
    return next((tab for tab in tabs if name and tab.name == name), None)


def tab_links(row: Any, first: str | Promise, tabs: Sequence[Tab], current: Tab | None) -> list[TabLink]:
    """Return the row of tabs of the page of `row`; `first` is the title of the fields."""
    page = address(row)
    return [
        TabLink(first, page, current is None),
        *(TabLink(tab.title, tab.address or f"{page}?{TAB}={tab.name}", tab is current) for tab in tabs),
    ]
