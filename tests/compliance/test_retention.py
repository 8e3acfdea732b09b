from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.compliance.dataset import data
from billing.compliance.facts import PlatformSettings
from billing.compliance.findings import Severity
from billing.compliance.jurisdictions import RetentionStart
from billing.compliance.retention import clock_start, longest, purge_date, purge_date_after_holds, years_of
from tests.compliance.facts import TODAY, facts, found

days = st.dates(date(1900, 1, 1), date(2200, 1, 1))


# docs/compliance.md, "Examples"
def test_a_german_voucher_is_kept_8_years_from_the_end_of_its_year() -> None:
    germany = data().jurisdictions["DE"][0]
    assert germany.retention_years == 8
    assert purge_date(date(2026, 3, 15), 8, germany.retention_start) == date(2035, 1, 1)


def test_an_argentine_record_is_kept_10_years_from_its_day() -> None:
    argentina = data().jurisdictions["AR"][0]
    assert argentina.retention_years == 10
    assert purge_date(date(2026, 5, 20), 10, argentina.retention_start) == date(2036, 5, 21)


@pytest.mark.parametrize(
    ("start", "record", "clock"),
    [
        ("RECORD", "2026-05-20", "2026-05-20"),
        ("CY_END", "2026-05-20", "2026-12-31"),
        ("FY_END", "2026-05-20", "2026-06-30"),
        ("FY_END", "2026-07-01", "2027-06-30"),
        ("TAX_PERIOD_END", "2026-05-20", "2026-06-30"),
        ("FY_NEXT_JUL1", "2026-05-20", "2027-07-01"),
        ("CY_END_AFTER_TAX_DUE", "2026-05-20", "2027-12-31"),
        ("RETURN_DUE", "2026-05-20", "2027-06-30"),
        ("RETURN_FILED", "2026-07-01", "2028-06-30"),
    ],
)
def test_the_clock_starts_where_the_country_says(start: str, record: str, clock: str) -> None:
    began = clock_start(date.fromisoformat(record), RetentionStart(start), fiscal_year_end=6)
    assert began == date.fromisoformat(clock)


@given(record=days, years=st.integers(1, 30), start=st.sampled_from(RetentionStart), month=st.integers(1, 12))
def test_nothing_is_purged_before_its_years_have_passed(
    record: date, years: int, start: RetentionStart, month: int
) -> None:
    purge = purge_date(record, years, start, fiscal_year_end=month)
    assert clock_start(record, start, fiscal_year_end=month) >= record
    assert (purge.year - record.year, purge.month, purge.day) > (years, record.month, record.day)
    assert purge_date(record, years + 1, start, fiscal_year_end=month) > purge


def test_a_record_of_29_february_is_kept_through_the_last_of_february() -> None:
    assert purge_date(date(2028, 2, 29), 10, RetentionStart.RECORD) == date(2038, 3, 1)


def test_a_hold_keeps_a_record_and_its_release_lets_it_go_the_day_after() -> None:
    due = date(2036, 5, 21)
    assert purge_date_after_holds(due, []) == due
    assert purge_date_after_holds(due, [date(2030, 1, 1), None]) is None
    assert purge_date_after_holds(due, [date(2030, 1, 1)]) == due
    assert purge_date_after_holds(due, [date(2036, 5, 21)]) == date(2036, 5, 22)
    assert purge_date_after_holds(due, [date(2040, 1, 1), date(2030, 1, 1)]) == date(2040, 1, 2)


def test_the_longest_of_customers_and_sellers_retention_applies() -> None:
    china = longest(("DE", "CN"), TODAY, TODAY)
    assert china
    assert (china.country, years_of(china)) == ("CN", 30)
    assert longest(("CN", "DE"), TODAY, TODAY) == china
    assert longest(("XX", ""), TODAY, TODAY) is None
    books = longest(("DE",), TODAY, TODAY)
    assert books
    assert years_of(books) == 10


def test_of_equal_years_the_later_start_is_longer() -> None:
    poland = longest(("GR", "PL"), TODAY, TODAY)
    assert poland
    assert poland.country == "PL"


def test_a_platform_that_keeps_less_than_either_country_asks_is_warned() -> None:
    (finding,) = found("retention.", facts("DE"), PlatformSettings(seller_country="CN", retention_years=10))
    assert (finding.severity, finding.rule) == (Severity.WARNING, "retention.CN")
    assert "30" in finding.message
    assert found("retention.", facts("DE"), PlatformSettings(seller_country="CN", retention_years=30)) == []
    assert found("retention.", facts("DE"), PlatformSettings(seller_country="CN")) == []
