from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.terms.payment_amounts import amount_text, discount, is_payable, late_interest, minor_unit, money_text
from billing.terms.payment_terms import EarlyPaymentDiscount, LatePaymentPenalty

INVOICED = date(2026, 3, 1)
DUE = date(2026, 3, 31)
cents = st.decimals(0, Decimal("1e12"), places=2)
percents = st.decimals(Decimal("0.01"), Decimal("99.99"), places=2)


def test_two_ten_net_thirty() -> None:
    given_early = discount(EarlyPaymentDiscount(Decimal(2), 10), Decimal("10000.00"), "USD", INVOICED)
    assert given_early
    assert (given_early.deadline, given_early.amount, given_early.payable) == (
        date(2026, 3, 11),
        Decimal("200.00"),
        Decimal("9800.00"),
    )


def test_a_discount_in_yen_has_no_decimals() -> None:
    given_early = discount(EarlyPaymentDiscount(Decimal("1.5"), 10), Decimal(12345), "JPY", INVOICED)
    assert given_early
    assert str(given_early.amount) == "185"


@pytest.mark.parametrize(
    ("code", "amount", "waived"),
    [("USD", "0.25", "0.01"), ("USD", "0.24", "0.00"), ("JPY", "25", "1"), ("BHD", "0.025", "0.001")],
)
def test_half_a_minor_unit_is_rounded_up(code: str, amount: str, waived: str) -> None:
    given_early = discount(EarlyPaymentDiscount(Decimal(2), 10), Decimal(amount), code, INVOICED)
    assert given_early
    assert str(given_early.amount) == waived


def test_the_deadline_of_a_discount_is_inclusive() -> None:
    terms, amount = EarlyPaymentDiscount(Decimal(2), 10), Decimal(100)
    assert discount(terms, amount, "USD", INVOICED, paid_on=date(2026, 3, 11))
    assert discount(terms, amount, "USD", INVOICED, paid_on=date(2026, 3, 12)) is None


def test_interest_at_twelve_percent_for_thirty_days() -> None:
    owed = late_interest(LatePaymentPenalty(Decimal(12)), Decimal("10000.00"), "USD", DUE, DUE + timedelta(days=30))
    assert (owed.days, str(owed.amount)) == (30, "98.63")


@pytest.mark.parametrize(("paid", "days"), [(DUE - timedelta(days=9), 0), (DUE, 0), (DUE + timedelta(days=1), 1)])
def test_the_day_to_pay_by_does_not_count_and_the_day_of_payment_does(paid: date, days: int) -> None:
    assert late_interest(LatePaymentPenalty(Decimal(12)), Decimal(1000), "USD", DUE, paid).days == days


def test_grace_is_a_threshold_and_no_deduction() -> None:
    terms, amount = LatePaymentPenalty(Decimal(12), grace_days=5), Decimal(10000)
    within = late_interest(terms, amount, "USD", DUE, DUE + timedelta(days=5))
    past = late_interest(terms, amount, "USD", DUE, DUE + timedelta(days=6))
    without = late_interest(LatePaymentPenalty(Decimal(12)), amount, "USD", DUE, DUE + timedelta(days=6))
    assert (within.days, str(within.amount)) == (5, "0.00")
    assert past == without
    assert past.amount > 0


@pytest.mark.parametrize(
    ("code", "unit"), [("USD", "0.01"), ("JPY", "1"), ("BHD", "0.001"), ("XOF", "1"), ("XCG", "0.01")]
)
def test_the_minor_unit_is_the_one_of_iso_4217(code: str, unit: str) -> None:
    assert minor_unit(code) == Decimal(unit)


@pytest.mark.parametrize(
    ("amount", "code"),
    [("-1", "USD"), ("0.001", "USD"), ("0.5", "JPY"), ("NaN", "USD"), ("Infinity", "USD"), ("1e15", "USD")],
)
def test_an_amount_that_no_invoice_has_is_refused(amount: str, code: str) -> None:
    assert not is_payable(Decimal(amount), code)
    with pytest.raises(ValueError, match="whole minor units"):
        discount(EarlyPaymentDiscount(Decimal(2), 10), Decimal(amount), code, INVOICED)
    with pytest.raises(ValueError, match="whole minor units"):
        late_interest(LatePaymentPenalty(Decimal(2)), Decimal(amount), code, DUE, DUE)


@given(amount=cents, percent=percents)
def test_a_discount_never_exceeds_the_amount(amount: Decimal, percent: Decimal) -> None:
    given_early = discount(EarlyPaymentDiscount(percent, 10), amount, "EUR", INVOICED)
    assert given_early
    assert 0 <= given_early.amount <= amount
    assert given_early.amount + given_early.payable == amount
    assert abs(given_early.amount - amount * percent / 100) <= Decimal("0.005")


@given(amount=cents, more=cents, rate=percents, late=st.integers(0, 4000), later=st.integers(0, 4000))
def test_interest_grows_with_amount_and_days(
    amount: Decimal, more: Decimal, rate: Decimal, late: int, later: int
) -> None:
    terms = LatePaymentPenalty(rate, grace_days=7)

    def owed(principal: Decimal, days: int) -> Decimal:
        return late_interest(terms, principal, "EUR", DUE, DUE + timedelta(days=days)).amount

    assert owed(amount, late) <= owed(amount, late + later)
    assert owed(amount, late) <= owed(amount + more, late)


@given(amount=cents, rate=percents, late=st.integers(1, 4000))
def test_interest_is_rounded_once(amount: Decimal, rate: Decimal, late: int) -> None:
    owed = late_interest(LatePaymentPenalty(rate), amount, "EUR", DUE, DUE + timedelta(days=late))
    exact = amount * rate * late / 36500
    assert abs(owed.amount - exact) <= Decimal("0.005")


@pytest.mark.parametrize(
    ("amount", "code", "text"),
    [
        ("100", "JPY", "100"),
        ("100", "EUR", "100.00"),
        ("100", "BHD", "100.000"),
        ("1E+2", "EUR", "100.00"),
        ("0.1", "EUR", "0.10"),
        ("0.125", "EUR", "0.125"),
        ("0.5", "JPY", "0.5"),
        ("1.50", "JPY", "1.5"),
    ],
)
def test_an_amount_is_written_with_the_places_of_its_currency_and_loses_none(amount: str, code: str, text: str) -> None:
    assert amount_text(Decimal(amount), code) == text
    assert money_text(Decimal(amount), code) == f"{text} {code}"
