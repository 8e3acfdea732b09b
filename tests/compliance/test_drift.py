from collections.abc import Iterator
from datetime import date
from itertools import islice

from billing.compliance.check import drift
from billing.compliance.einvoicing import EInvoicing
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.tax_registrations import TaxRegistration
from billing.terms.payment_terms import PaymentTerms
from tests.compliance.facts import TODAY, facts

GERMANY = PlatformSettings(seller_country="DE")
TERMS = PaymentTerms(30, "Monthly", 1)


def german(name: str, standard: str = "") -> AccountFacts:
    registrations = (TaxRegistration("DE", "DE136695976"),)
    return facts(
        "DE", name=name, currency_code="EUR", tax_registrations=registrations, e_invoicing=EInvoicing(standard)
    )


def test_a_rule_change_shows_which_accounts_then_fail_and_since_when() -> None:
    accounts = [german("acme-corp/paper"), german("acme-corp/electronic", "XRECHNUNG")]
    assert list(drift(accounts, GERMANY, TODAY)) == []
    (failing,) = drift(accounts, GERMANY, date(2027, 1, 1))
    assert failing.name == "acme-corp/paper"
    assert failing.since == date(2027, 1, 1)
    assert failing.finding.rule == "einvoice.DE.EN16931.B2B_DOMESTIC.2027-01-01"


def test_every_change_under_which_an_account_fails_is_named() -> None:
    changes = [each.since for each in drift([german("acme-corp/paper")], GERMANY, date(2028, 6, 1))]
    assert changes == [date(2027, 1, 1), date(2028, 1, 1)]


def test_a_rule_older_than_the_data_has_no_date() -> None:
    account = facts("FR", name="acme-corp/fr", terms=PaymentTerms(90, "Monthly", 1))
    (failing,) = drift([account], PlatformSettings(), TODAY)
    assert (failing.finding.rule, failing.since) == ("terms.cap.FR", None)


def test_warnings_and_hints_are_no_drift() -> None:
    account = facts("IN", currency_code="USD", customer_kind="government", terms=PaymentTerms(200, "Monthly", 1))
    assert list(drift([account], PlatformSettings(), TODAY)) == []


def test_accounts_are_read_one_at_a_time_and_never_kept() -> None:
    read = 0

    def endless() -> Iterator[AccountFacts]:
        nonlocal read
        while True:
            read += 1
            yield german(f"acme-corp/{read}")

    first = list(islice(drift(endless(), GERMANY, date(2027, 1, 1)), 3))
    assert [each.name for each in first] == ["acme-corp/1", "acme-corp/2", "acme-corp/3"]
    assert read == 3
