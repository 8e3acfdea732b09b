"""Panels below an object (tables of related rows), links and formatting, and items that need attention."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import models
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from milo.dates import parse_month

SHOWN = 20
MOST_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """A field above a panel for an instant (UTC), or a day if `kind` is `date`.

    Submitting it reloads the page with the query parameter `name`. `error` says why `value` cannot be read.
    """

    name: str
    label: str
    value: str = ""
    kind: str = "datetime-local"
    error: str | Promise = ""

    @property
    def shown_as(self) -> str:
        """Return the type of the input: browsers show in one of a day or instant nothing else."""
        return "text" if self.error else self.kind


@dataclass(frozen=True, slots=True)
class BarPart:
    """A part of a drawn bar: its `name` is in it, `words` say what it is, `size` is its share of the bar."""

    name: str
    words: str
    size: int
    color: str


@dataclass(slots=True)
class Panel:
    """A table below an object: `rows` of cells.

    `more` is the URL of the whole list if the table is only a part of it; `more_title` replaces the text "Show all".
    `chart` and `chart_options` are the data and options of a bar chart above the table, as JSON for Chart.js.
    `question` asks for an instant or a day, and `sentence` answers it. `bar` is drawn above the table, whose rows have
    the names of its parts. `following` is the URL of the next page, if any. A table without rows says `nothing`, else
    what the list of the model `of` says where it is empty.
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
    sentence: str = ""
    bar: Sequence[BarPart] = ()
    of: type[models.Model] | None = None
    nothing: str | Promise = ""

    @property
    def nothing_yet(self) -> str | Promise:
        """Return what to say instead of an empty table: `nothing`, else how the first row of `of` comes about."""
        if self.of and not self.nothing:
            return admin.site.get_model_admin(self.of).nothing_yet  # type: ignore[attr-defined]
        return self.nothing or _("Nothing yet.")


def number_text(number: int | Decimal | str) -> str:
    """Return a number in the person's format, with all of its digits: `1,234.5`, in German `1.234,5`."""
    return formats.number_format(number, force_grouping=True)


def counted(number: int) -> str:
    """Return a number for people: "1,000+" where more were not counted."""
    least = number_text(min(number, MOST_COUNTED))
    return f"{least}+" if number > MOST_COUNTED else least


@dataclass(frozen=True, slots=True)
class Attention:
    """An item of the home page: the number of rows that wait for people, and the URL of their list.

    A `count` above 1,000 says no more than that. `oldest` is since when the first of them waits (UTC). A `daily` item
    is shown even if nothing waits.
    """

    title: str | Promise
    count: int
    address: str
    oldest: date | None = None
    daily: bool = False

    @property
    def number(self) -> str:
        """Return the count for people."""
        return counted(self.count)

    @property
    def age(self) -> str:
        """Return since when the first of them waits, in words; "" if nothing does."""
        return _("the oldest for %(time)s") % {"time": timesince(self.oldest, depth=1)} if self.oldest else ""


def first(rows: "models.QuerySet[Any]") -> tuple[list[Any], bool]:
    """Return the first 20 of `rows`, and whether there are more. One query."""
    page = list(rows[: SHOWN + 1])
    return page[:SHOWN], len(page) > SHOWN


def address(row: models.Model) -> str:
    """Return the URL of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)])


def list_address(model: type[models.Model], **filters: Any) -> str:
    """Return the URL of a model's list, filtered."""
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{page}?{urlencode(filters)}" if filters else page


def link(row: models.Model | None, text: str = "") -> SafeString | str:
    """Return a link to a row's page; its text is `text` or the row. A dash for None."""
    if row is None:
        return "-"
    return format_html('<a href="{}" class="text-link">{}</a>', address(row), text or str(row))


def lines(texts: Iterable[str]) -> SafeString | str:
    """Return texts on separate lines; a dash for none."""
    listed = list(texts)
    return format_html("<br>".join(["{}"] * len(listed)), *listed) if listed else "-"


def pairs(values: Mapping[str, str]) -> SafeString | str:
    """Return labels or annotations, one per line; a dash for none."""
    return lines(f"{key}: {value}" for key, value in sorted(values.items()))


def badge(text: str, kind: str = "") -> SafeString:
    """Return a word on a colored background: `success`, `info`, `warning`, `danger`, or "" for gray."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": kind})


def day_text(day: date | None) -> str:
    """Return a day in the site's format; a dash for None."""
    return formats.date_format(day) if day else "-"


def month_text(month: date | str) -> str:
    """Return a month, such as that of a day or "2027-02", in the person's format; another text as it is."""
    if isinstance(month, str):
        try:
            month = parse_month(month)
        except ValueError:
            return str(month)
    return formats.date_format(month, "YEAR_MONTH_FORMAT")


def moment(at: Any) -> str:
    """Return an instant in the site's format, in the zone of the person (else UTC), as text; a dash for None."""
    return formats.localize(timezone.localtime(at)) if at else "-"


def instant(at: Any) -> SafeString | str:
    """Return `moment`, with the instant in UTC as its title (ISO 8601) where it is shown in another form."""
    utc = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "-"
    if moment(at) == utc:
        return utc
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), utc, moment(at))
