"""The weekend of a country moves days to pay by."""

from datetime import date, timedelta

import pytest

from billing.compliance.dataset import data
from billing.compliance.preferences import Preferences
from billing.services.payment_schedules import payment_schedule
from billing.terms.payment_schedule import payable_by
from billing.terms.payment_terms import BusinessDayConvention, PaymentTerms
from tests.support import make

THURSDAY, FRIDAY, SATURDAY, SUNDAY = (date(2026, 1, day) for day in (1, 2, 3, 4))


def weekend(country: str, monday: date) -> str:
    """The days of the weekend in the week of a Monday."""
    week = [monday + timedelta(days=number) for number in range(7)]
    return " ".join(f"{day:%a}" for day in week if data().is_weekend(country, day))


@pytest.mark.parametrize(
    ("country", "monday", "days"),
    [
        ("IL", date(2026, 1, 5), "Fri Sat"),
        ("SA", date(2026, 1, 5), "Fri Sat"),
        ("SA", date(2013, 6, 17), "Thu Fri"),
        ("AE", date(2026, 1, 5), "Sat Sun"),
        ("AE", date(2021, 12, 20), "Fri Sat"),
        ("EG", date(2026, 1, 5), "Fri Sat"),
        ("IR", date(2026, 1, 5), "Fri"),
        ("DE", date(2026, 1, 5), "Sat Sun"),
        ("", date(2026, 1, 5), "Sat Sun"),
    ],
)
def test_each_country_has_the_weekend_of_its_time(country: str, monday: date, days: str) -> None:
    assert weekend(country, monday) == days


@pytest.mark.parametrize(
    ("country", "due", "convention", "payable"),
    [
        ("IL", FRIDAY, "FOLLOWING", SUNDAY),
        ("SA", SATURDAY, "PRECEDING", THURSDAY),
        ("IL", SUNDAY, "FOLLOWING", SUNDAY),
        ("SA", date(2026, 1, 31), "MODIFIED_FOLLOWING", date(2026, 1, 29)),
        ("DE", FRIDAY, "FOLLOWING", FRIDAY),
        ("IL", FRIDAY, "NONE", FRIDAY),
    ],
)
def test_a_due_date_on_the_weekend_of_the_country_moves(
    country: str, due: date, convention: str, payable: date
) -> None:
    assert payable_by(due, convention, lambda day: data().is_weekend(country, day)) == payable


@pytest.mark.parametrize("country", sorted(data().weekends))
@pytest.mark.parametrize("convention", [name for name in BusinessDayConvention.values if name != "NONE"])
def test_what_is_payable_is_never_on_a_weekend(country: str, convention: str) -> None:
    for number in range(366):
        due = date(2026, 1, 1) + timedelta(days=number)
        assert not data().is_weekend(country, payable_by(due, convention, lambda day: data().is_weekend(country, day)))


@pytest.mark.django_db
@pytest.mark.parametrize(("country", "payable"), [("IL", date(2026, 5, 3)), ("", date(2026, 5, 1))])
def test_the_schedule_of_an_account_follows_its_country(country: str, payable: date) -> None:
    terms = PaymentTerms(30, "Monthly", 1, business_day_convention="FOLLOWING")
    account = make.a_ready_account(make.an_organization(), payment_terms=terms, preferences=Preferences(country))
    (payment,) = payment_schedule(account, date(2026, 3, 31), 1)
    assert (payment.invoice.due_date, payment.invoice.payable_by) == (date(2026, 5, 1), payable)
