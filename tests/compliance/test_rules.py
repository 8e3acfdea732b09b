from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from billing.compliance.check import check
from billing.compliance.dataset import data
from billing.compliance.facts import PlatformSettings
from billing.compliance.findings import Severity
from billing.compliance.jurisdictions import Group, TermCap
from billing.terms.payment_terms import PaymentTerms
from tests.compliance.facts import NOBODY, TODAY, facts, found, severities

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
ROWS = [rows[0] for rows in data().jurisdictions.values()]


def terms(net_days: int, **given: Any) -> PaymentTerms:
    return PaymentTerms(net_days, "Monthly", 1, **given)


def test_an_account_of_which_nothing_is_known_has_no_finding() -> None:
    assert check(facts(), NOBODY, TODAY) == []


def test_an_account_of_a_country_without_data_has_no_finding() -> None:
    assert check(facts("IS", currency_code="ISK", terms=terms(90)), NOBODY, TODAY) == []


def test_an_account_that_is_in_order_has_no_finding() -> None:
    account = facts("US", currency_code="USD", payment_method="achDebit", terms=terms(30), invoice_language="en-US")
    platform = PlatformSettings(seller_country="US", data_regions=("US",), retention_years=7)
    assert check(account, platform, TODAY) == []


def test_errors_come_first() -> None:
    account = facts("FR", currency_code="USD", payment_method="achDebit", terms=terms(90), invoice_language="en")
    worst = [finding.severity for finding in check(account, PlatformSettings(seller_country="FR"), TODAY)]
    assert worst == sorted(worst, key=[ERROR, WARNING, INFO].index)
    assert worst[0] is ERROR
    assert worst[-1] is not ERROR


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.country)
def test_the_cap_of_a_country_acts_on_the_day_over_it_as_its_kind_says(row: Any) -> None:
    if row.max_net_days is None:
        assert found("terms.", facts(row.country, terms=terms(365))) == []
        return
    firm = ERROR if row.firm(Group.TERMS) else WARNING
    at_cap, over = terms(row.max_net_days), terms(row.max_net_days + 1)
    agreed = replace(over, extended_terms_agreed=True)
    expected = {
        TermCap.HARD: ([firm], [firm]),
        TermCap.HARD_CONDITIONAL: ([WARNING], [WARNING]),
        TermCap.DEROGABLE: ([firm], []),
    }[row.term_cap]
    assert found("terms.", facts(row.country, terms=at_cap)) == []
    assert severities("terms.", facts(row.country, terms=over)) == expected[0]
    (finding,) = found("terms.", facts(row.country, terms=over))
    assert finding.message.startswith(f"{row.max_net_days + 1} net days are over the {row.max_net_days} ")
    assert row.name in finding.message
    assert finding.message.endswith(f" ({row.max_net_note})" if row.max_net_note else "")
    assert (finding.rule, finding.field) == (f"terms.cap.{row.country}", "spec.paymentTerms.netDays")
    assert severities("terms.", facts(row.country, terms=agreed)) == expected[1]
    assert found("terms.", facts(row.country, terms=over, customer_kind="individual")) == []


def test_the_three_hard_caps_reject() -> None:
    rejecting = {row.country for row in ROWS if row.term_cap is TermCap.HARD}
    assert rejecting == {"BE", "ES", "FR"}
    for country in rejecting:
        (finding,) = found("terms.", facts(country, terms=terms(61, extended_terms_agreed=True)))
        assert (finding.severity, finding.field) == (ERROR, "spec.paymentTerms.netDays")
        assert "61" in finding.message
        assert "60" in finding.message


def test_terms_of_public_bodies_warn_because_nobody_says_how_they_bind() -> None:
    office = facts("DE", customer_kind="government", terms=terms(31))
    (finding,) = found("terms.", office)
    assert (finding.severity, finding.rule) == (WARNING, "terms.public.DE")
    assert finding.message.startswith("31 net days are over the 30 in which public bodies of Germany pay")
    assert found("terms.", facts("DE", customer_kind="government", terms=terms(30))) == []


def test_a_currency_that_was_withdrawn_is_an_error() -> None:
    (finding,) = found("currency.", facts("BG", currency_code="BGN"))
    assert (finding.severity, finding.rule, finding.effective_from) == (ERROR, "currency.iso4217", date(2026, 1, 1))
    assert severities("currency.", facts(currency_code="XAU")) == [ERROR]


def test_a_foreign_currency_is_a_warning_at_home_and_a_hint_abroad() -> None:
    account = facts("DE", currency_code="USD")
    assert severities("currency.", account, PlatformSettings(seller_country="DE")) == [WARNING]
    assert severities("currency.", account, PlatformSettings(seller_country="US")) == [INFO]
    assert found("currency.", facts("DE", currency_code="EUR")) == []


@pytest.mark.parametrize(
    ("country", "language", "asked"),
    [
        ("DE", "en-US", False),
        ("SA", "ar-SA", False),
        ("SA", "en", True),
        ("AE", "en-AE", False),
        ("BE", "nl-BE", False),
        ("BE", "en", True),
        ("CA", "fr-CA", False),
        ("CA", "de", True),
        ("NO", "nn-NO", False),
        ("NO", "sv", False),
        ("NO", "fi", True),
        ("CN", "cmn-Hans-CN", False),
        ("CN", "en", True),
        ("IL", "ar", False),
        ("HU", "en", False),
        ("FR", "", False),
    ],
)
def test_the_language_of_invoices_follows_the_rule_of_the_country(country: str, language: str, asked: bool) -> None:
    account = facts(country, invoice_language=language)
    assert severities("language.", account, PlatformSettings(seller_country=country)) == [WARNING] * asked
    assert severities("language.", account, PlatformSettings(seller_country="US")) == [INFO] * asked


@pytest.mark.parametrize(
    ("country", "seller", "region", "expected"),
    [
        ("DE", "DE", "EU", []),
        ("DE", "DE", "FR", []),  # a country of the same region
        ("DE", "DE", "US", [("residency.DE", ERROR)]),
        ("HR", "", "UK", [("residency.HR", ERROR)]),
        ("HR", "", "GB", [("residency.HR", ERROR)]),
        ("IT", "", "UK", []),
        ("IT", "", "US", [("residency.IT", INFO)]),
        ("IT", "", "CN", [("residency.IT", WARNING)]),
        ("US", "", "CN", []),
        ("MX", "", "US", [("residency.MX", INFO)]),
        ("IN", "", "US", [("residency.IN", WARNING)]),
        ("SA", "", "EU", [("residency.SA", WARNING)]),
        ("NZ", "", "AU", [("residency.NZ", WARNING)]),
        ("FR", "", "CN", [("residency.FR", WARNING)]),  # strict, and unsourced
        ("US", "DE", "US", [("residency.DE", ERROR)]),  # the books are the seller's
        ("HR", "DE", "US", [("residency.HR", ERROR), ("residency.DE", ERROR)]),
    ],
)
def test_records_are_kept_where_the_strictest_of_both_countries_allows(
    country: str, seller: str, region: str, expected: list[tuple[str, Severity]]
) -> None:
    asked = found("residency.", facts(country, data_residency=region), PlatformSettings(seller_country=seller))
    assert [(finding.rule, finding.severity) for finding in asked] == expected
    # the platform's own region counts where none is asked for
    kept = found("residency.", facts(country), PlatformSettings(seller_country=seller, data_regions=(region,)))
    assert kept == asked


def test_a_region_that_the_platform_does_not_offer_is_refused() -> None:
    platform = PlatformSettings(data_regions=("DE", "US"))
    (finding,) = found("residency.", facts("CA", data_residency="CA"), platform)
    assert (finding.severity, finding.rule) == (ERROR, "residency.platform")
    assert found("residency.", facts("IT", data_residency="EU"), platform) == []


def test_a_low_or_unsourced_row_never_rejects() -> None:
    for row in ROWS:
        account = facts(
            row.country,
            currency_code=row.currency,
            terms=terms(365),
            invoice_language="tlh",
            data_residency="KR" if row.country != "KR" else "CN",
        )
        for finding in check(account, NOBODY, TODAY):
            group = {
                "terms": Group.TERMS,
                "tax": Group.TAX_REQUIREMENT,
                "language": Group.LANGUAGE,
                "residency": Group.RESIDENCY,
            }.get(finding.rule.split(".")[0])
            if finding.severity is ERROR:
                assert group
                assert row.firm(group), finding


def test_the_same_facts_on_the_same_day_give_the_same_findings() -> None:
    account = facts("PL", currency_code="USD", terms=terms(90))
    platform = PlatformSettings(seller_country="PL")
    assert check(account, platform, TODAY) == check(account, platform, TODAY)
