"""Tables of related rows below an object, links between objects, and what waits for people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.db import models
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Question:
    """A box above a panel that asks for an instant (UTC); the page is shown again with it as the parameter `name`."""

    name: str
    label: str
    value: str = ""


@dataclass(slots=True)
class Panel:
    """A table below an object: `rows` of cells. `more` is the address of the whole list, where there is more.

    `more_title` is what that link says, where it is not "Show all". `chart`, where there is one, is shown above the
    table: data of a bar chart and its options, each as JSON for Chart.js.
    `question` narrows the table to an instant. `following` is the address of the next page, where there is one.
    """

    title: str
    headers: Sequence[str]
    rows: list[list[Any]] = field(default_factory=list)
    more: str = ""
    more_title: str = ""
    chart: str = ""
    chart_options: str = ""
    question: Question | None = None
    following: str = ""


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that waits for people: how many, and the list that shows them."""

    title: str | Promise
    count: int
    address: str


def first(rows: "models.QuerySet[Any]") -> tuple[list[Any], bool]:
    """The first 20 of `rows`, and whether there are more; one query."""
    found = list(rows[: SHOWN + 1])
    return found[:SHOWN], len(found) > SHOWN


def address(row: models.Model) -> str:
    """The address of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)])


def list_address(model: type[models.Model], **filters: Any) -> str:
    """The address of a model's list, filtered."""
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{page}?{urlencode(filters)}" if filters else page


def link(row: models.Model | None, text: str = "") -> SafeString | str:
    """A link to a row's page, named by the row unless `text` is given; a dash where there is no row."""
    if row is None:
        return "-"
    return format_html('<a href="{}" class="text-link">{}</a>', address(row), text or str(row))


def lines(texts: Iterable[str]) -> SafeString | str:
    """Texts below each other; a dash where there are none."""
    found = list(texts)
    return format_html("<br>".join(["{}"] * len(found)), *found) if found else "-"


def pairs(values: Mapping[str, str]) -> SafeString | str:
    """Labels or annotations, one a line; a dash where there are none."""
    return lines(f"{key}: {value}" for key, value in sorted(values.items()))


def badge(text: str, kind: str = "") -> SafeString:
    """A word on a coloured ground: `success`, `info`, `warning`, `danger`, or grey."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": kind})


def instant(at: Any) -> str:
    """An instant as the site shows it, in UTC; a dash for none."""
    return formats.localize(timezone.localtime(at)) if at else "-"
