"""The days of rest of a country, one dated row of `data/weekends.csv` each; elsewhere Saturday and Sunday."""

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
    """The weekend of `country` from `effective_from` (always, where it is None); `days` count from Monday, 0."""

    country: str
    effective_from: date | None
    days: frozenset[int]
    confidence: Confidence
    source: str


def weekend(row: Row, sources: Collection[str]) -> Weekend:
    """A validated row; `sources` are the keys it may refer to. Raises `BrokenData`."""
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
