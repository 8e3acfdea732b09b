"""Weekends other than Saturday and Sunday: dated rows of `data/weekends.csv`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from billing.compliance.findings import Confidence
from billing.compliance.jurisdictions import COUNTRIES
from billing.compliance.table import Row

COLUMNS = ("country", "effective_from", "days", "confidence", "source")
_DAYS = {"Monday": 0, "Tuesday": 1, "Wednesday": 2, "Thursday": 3, "Friday": 4, "Saturday": 5, "Sunday": 6}


@dataclass(frozen=True, slots=True)
class Weekend:
    """The weekend of a country from `effective_from` on; None for always. `days` are numbers, Monday being 0."""

    country: str
    effective_from: date | None
    days: frozenset[int]
    confidence: Confidence
    source: str


def weekend(row: Row, sources: Collection[str]) -> Weekend:
    """Return a validated row. It may refer to keys of `sources`. Raises `BrokenData`."""
    days = row.items("days", ";", _DAYS)
    if not days:
        raise row.broken("days", "is empty")
    return Weekend(
        country=row.known("country", COUNTRIES),
        effective_from=row.optional_day("effective_from"),
        days=frozenset(_DAYS[day] for day in days),
        confidence=row.member("confidence", Confidence),
        source=";".join(row.items("source", ";", sources)),
    )
