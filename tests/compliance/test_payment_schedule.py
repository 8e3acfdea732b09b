from datetime import date, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.terms.payment_schedule import due_date, invoice_dates, invoice_period, payable_by, schedule
from billing.terms.payment_terms import BusinessDayConvention, InvoiceFrequency, PaymentTerms

MONTHS = {"Monthly": 1, "Quarterly": 3, "Annual": 12}
days = st.dates(date(1900, 1, 1), date(2200, 1, 1))
rhythms = st.builds(
    PaymentTerms,
    net_days=st.integers(0, 365),
    invoice_frequency=st.sampled_from(InvoiceFrequency.values),
    invoice_day_of_month=st.integers(1, 28),
    anchor_month=st.integers(1, 12),
    business_day_convention=st.sampled_from(BusinessDayConvention.values),
)


def on(*texts: str) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


# docs/compliance.md, "Examples"
@pytest.mark.parametrize(
    ("terms", "after", "expected"),
    [
        (PaymentTerms(30, "Monthly", 1), "2026-01-01", on("2026-02-01", "2026-03-01", "2026-04-01")),
        (PaymentTerms(30, "Quarterly", 15, 1), "2026-11-22", on("2027-01-15", "2027-04-15", "2027-07-15")),
        (PaymentTerms(30, "Annual", 10, 4), "2026-04-10", on("2027-04-10", "2028-04-10", "2029-04-10")),
        (PaymentTerms(30, "Annual", 10, 4), "2026-04-09", on("2026-04-10", "2027-04-10", "2028-04-10")),
        (PaymentTerms(30, "Quarterly", 15, 12), "2026-11-22", on("2026-12-15", "2027-03-15", "2027-06-15")),
    ],
)
def test_invoice_dates_follow_the_terms(terms: PaymentTerms, after: str, expected: list[date]) -> None:
    assert list(islice(invoice_dates(terms, date.fromisoformat(after)), 3)) == expected


def test_a_due_date_counts_calendar_days_after_the_invoice_day() -> None:
    assert due_date(date(2026, 1, 31), 30) == date(2026, 3, 2)
    assert due_date(date(2026, 1, 31), 0) == date(2026, 1, 31)


@pytest.mark.parametrize(
    ("invoiced", "nominal", "convention", "payable"),
    [
        ("2026-07-16", "2026-08-15", "FOLLOWING", "2026-08-17"),
        ("2026-07-16", "2026-08-15", "NONE", "2026-08-15"),
        ("2026-05-01", "2026-05-31", "FOLLOWING", "2026-06-01"),
        ("2026-05-01", "2026-05-31", "MODIFIED_FOLLOWING", "2026-05-29"),
        ("2026-05-01", "2026-05-31", "PRECEDING", "2026-05-29"),
        ("2026-07-16", "2026-08-15", "MODIFIED_FOLLOWING", "2026-08-17"),
    ],
)
def test_a_weekend_moves_what_is_payable_and_not_what_is_due(
    invoiced: str, nominal: str, convention: str, payable: str
) -> None:
    due = due_date(date.fromisoformat(invoiced), 30)
    assert due == date.fromisoformat(nominal)
    assert payable_by(due, convention) == date.fromisoformat(payable)


def test_a_schedule_tells_all_that_an_invoicing_system_needs() -> None:
    first, second = schedule(PaymentTerms(30, "Monthly", 1, business_day_convention="FOLLOWING"), date(2026, 1, 1), 2)
    assert (first.period_start, first.period_end) == (date(2026, 1, 1), date(2026, 2, 1))
    assert (first.invoice_date, first.due_date, first.payable_by) == tuple(on("2026-02-01", "2026-03-03", "2026-03-03"))
    assert (second.invoice_date, second.due_date, second.payable_by) == tuple(
        on("2026-03-01", "2026-03-31", "2026-03-31")
    )


def test_a_schedule_moves_what_is_payable_from_the_weekend_of_the_country() -> None:
    terms = PaymentTerms(0, "Monthly", 1, business_day_convention="FOLLOWING")
    # a Friday, and the Sunday after it where the weekend is Friday and Saturday
    (invoice,) = schedule(terms, date(2026, 4, 30), 1, is_weekend=lambda day: day.weekday() in (4, 5))
    assert (invoice.due_date, invoice.payable_by) == tuple(on("2026-05-01", "2026-05-03"))


@pytest.mark.parametrize(
    "terms",
    [
        PaymentTerms(),
        PaymentTerms(None, "Monthly", 1),
        PaymentTerms(30, None, 1),
        PaymentTerms(30, "Monthly", None),
        PaymentTerms(30, "Quarterly", 1),
        PaymentTerms(30, "Annual", 1),
        PaymentTerms(30, "Weekly", 1),
    ],
)
def test_terms_that_lack_something_have_no_schedule(terms: PaymentTerms) -> None:
    with pytest.raises(ValueError, match=r"terms|Weekly"):
        schedule(terms, date(2026, 1, 1), 1)


@given(terms=rhythms, after=days)
def test_an_invoice_date_is_strictly_later_and_has_the_right_day_and_month(terms: PaymentTerms, after: date) -> None:
    assert terms.anchor_month
    found = list(islice(invoice_dates(terms, after), 30))
    assert all(earlier < later for earlier, later in pairwise([after, *found]))
    step = MONTHS[terms.invoice_frequency or ""]
    assert all(day.day == terms.invoice_day_of_month for day in found)
    assert all((day.month - terms.anchor_month) % step == 0 for day in found)


@given(terms=rhythms, after=days)
def test_no_invoice_date_is_left_out(terms: PaymentTerms, after: date) -> None:
    assert terms.anchor_month
    first = next(invoice_dates(terms, after))
    step, day = MONTHS[terms.invoice_frequency or ""], after + timedelta(days=1)
    while day < first:
        assert day.day != terms.invoice_day_of_month or (day.month - terms.anchor_month) % step
        day += timedelta(days=1)


@given(terms=rhythms, after=days)
def test_periods_tile_the_calendar(terms: PaymentTerms, after: date) -> None:
    periods = [invoice_period(terms, day) for day in islice(invoice_dates(terms, after), 20)]
    assert all(start < end for start, end in periods)
    assert all(before[1] == later[0] for before, later in pairwise(periods))
    assert periods[0][0] <= after < periods[0][1]


@given(due=days, convention=st.sampled_from(BusinessDayConvention.values))
def test_payable_by_is_a_business_day_near_the_due_date(due: date, convention: str) -> None:
    payable = payable_by(due, convention)
    if convention == "NONE" or due.weekday() < 5:
        assert payable == due
    else:
        assert payable.weekday() < 5
        assert abs(payable - due) <= timedelta(days=2)
    if convention == "MODIFIED_FOLLOWING":
        assert payable.month == due.month


@pytest.mark.parametrize("after", [date.min, date(2, 1, 1), date(9996, 12, 31), date.max])
@pytest.mark.parametrize("frequency", InvoiceFrequency.values)
@pytest.mark.parametrize("convention", BusinessDayConvention.values)
def test_the_ends_of_the_calendar_raise_nothing(after: date, frequency: str, convention: str) -> None:
    terms = PaymentTerms(365, frequency, 28, 12, convention)
    assert len(schedule(terms, after, 24)) <= 24
