"""Retention of records: the longest period that a country of the customer or the seller requires.

Source: docs/compliance.md, "Residency and retention". The law sets minimum periods, so if the start of one is not known
to the day, the latest possible day counts.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from billing.compliance.dataset import data
from billing.compliance.jurisdictions import Jurisdiction, RetentionStart

_DAY = timedelta(days=1)


def longest(countries: Iterable[str], record_on: date, on: date) -> Jurisdiction | None:
    """Return the row in force on the day `on` of the country that requires the longest retention of a record.

    `record_on` is the day of the record, `countries` are those of customer and seller. None if the data lack both.
    """
    rows = [row for country in countries if (row := data().jurisdiction(country, on))]
    return max(rows, key=lambda row: purge_date(record_on, years_of(row), row.retention_start), default=None)


def years_of(jurisdiction: Jurisdiction) -> int:
    """Return the years that a country requires for vouchers or for books, whichever is more."""
    return max(jurisdiction.retention_years, jurisdiction.retention_books_years or 0)


def purge_date(record_on: date, years: int, start: RetentionStart, *, fiscal_year_end: int = 12) -> date:
    """Return the first day on which a record of `record_on` may be purged: start of the period, plus years, plus 1 day.

    `fiscal_year_end` is the last month (1 to 12) of the fiscal year.
    """
    return _years_later(clock_start(record_on, start, fiscal_year_end=fiscal_year_end), years) + _DAY


def purge_date_after_holds(purge_on: date, released: Iterable[date | None]) -> date | None:
    """Return the purge date after holds: at the earliest the day after the last release; None while a hold is open.

    `released` has the day of release of each hold, None for an open one.
    """
    days = list(released)
    return None if None in days else max([purge_on, *(day + _DAY for day in days if day)])


def clock_start(record_on: date, start: RetentionStart, *, fiscal_year_end: int = 12) -> date:
    """Return the day from which the years of retention count for a record of `record_on`."""
    fiscal_year = _month_end(record_on.year + (record_on.month > fiscal_year_end), fiscal_year_end)
    match start:
        case RetentionStart.RECORD:
            return record_on
        case RetentionStart.CY_END:
            return date(record_on.year, 12, 31)
        # a tax period is at most a fiscal year
        case RetentionStart.FY_END | RetentionStart.TAX_PERIOD_END:
            return fiscal_year
        case RetentionStart.FY_NEXT_JUL1:
            return date(fiscal_year.year + 1, 7, 1)
        # tax is due and returns are filed in the following year, at the latest on its last day
        case RetentionStart.CY_END_AFTER_TAX_DUE:
            return date(record_on.year + 1, 12, 31)
        case RetentionStart.RETURN_DUE | RetentionStart.RETURN_FILED:
            return _month_end(fiscal_year.year + 1, fiscal_year_end)


def _month_end(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - _DAY


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return date(day.year + years, 2, 28)
