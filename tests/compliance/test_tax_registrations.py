from datetime import date

import pytest

from billing.compliance.check import check
from billing.compliance.dataset import data
from billing.compliance.findings import Severity
from billing.compliance.jurisdictions import Group
from billing.compliance.tax_registrations import Form, TaxRegistration, checked
from tests.compliance.facts import NOBODY, TODAY, facts, found, severities

COUNTRIES = sorted(data().jurisdictions)
WITH_SAMPLES = [country for country in COUNTRIES if data().jurisdictions[country][0].valid_sample]


def form(country: str, number: str) -> Form:
    return checked(TaxRegistration(country, number), TODAY).form


def test_only_hong_kong_has_no_samples() -> None:
    assert set(COUNTRIES) - set(WITH_SAMPLES) == {"HK"}
    assert form("HK", "12345678") is Form.VALID
    assert form("HK", "1234567") is Form.INVALID


@pytest.mark.parametrize("country", WITH_SAMPLES)
def test_the_valid_sample_of_a_country_is_accepted(country: str) -> None:
    sample = data().jurisdictions[country][0].valid_sample
    assert form(country, sample) is Form.VALID
    account = facts(country, tax_registrations=(TaxRegistration(country, sample),))
    assert found("tax.", account) == []
    assert account.preferences.causes(TODAY) == []


@pytest.mark.parametrize("country", WITH_SAMPLES)
def test_the_invalid_sample_of_a_country_is_refused_or_warned_of_where_the_row_is_not_firm(country: str) -> None:
    row = data().jurisdictions[country][0]
    assert form(country, row.invalid_sample) is Form.INVALID
    account = facts(country, tax_registrations=(TaxRegistration(country, row.invalid_sample),))
    (finding,) = found("tax.", account)
    assert finding.severity is (Severity.ERROR if row.firm(Group.TAX) else Severity.WARNING)
    assert finding.field == "spec.preferences.taxRegistrations[0].number"
    assert finding.rule == f"tax.format.{country}"
    assert row.name in finding.message
    assert row.invalid_sample not in finding.message


def test_what_is_not_firm_about_tax_numbers_is_what_the_data_say() -> None:
    unsure = {country for country in COUNTRIES if not data().jurisdictions[country][0].firm(Group.TAX)}
    assert unsure == {"HK", "ID", "MY", "ZA"}


@pytest.mark.parametrize(
    ("country", "written", "normalised"),
    [
        ("DE", "de 136 695 976", "DE136695976"),
        ("DE", "136695976", "DE136695976"),
        ("GR", "GR094259216", "EL094259216"),
        ("GR", "EL 094259216", "EL094259216"),
        ("GR", "094259216", "EL094259216"),
        ("CH", "CHE-107.787.577 IVA", "CHE107787577IVA"),
        ("NO", "995 525 828 MVA", "NO995525828MVA"),
        ("GB", "XI980780684", "XI980780684"),
        ("GB", "980780684", "GB980780684"),
        ("BE", "0428.759.497", "BE0428759497"),
        ("US", "91-1144442", "911144442"),
        ("JP", "T5835678256246", "T5835678256246"),
        ("JP", "5835678256246", "5835678256246"),
        ("BR", "16.727.230/0001-97", "16727230000197"),
        ("NL", "\uff2e\uff2c004495445B01", "NL004495445B01"),
        ("TR", "10000000146", "10000000146"),
        ("IL", "516179157", "516179157"),
    ],
)
def test_a_number_is_kept_as_its_authority_writes_it(country: str, written: str, normalised: str) -> None:
    result = checked(TaxRegistration(country, written), TODAY)
    assert (result.form, result.number) == (Form.VALID, normalised)
    again = checked(TaxRegistration(country, normalised), TODAY)
    assert again == result


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("CH", "CHE107787577"),
        ("NO", "NO995525828"),
        ("HU", "HU12892312241"),
        ("DE", "FR40303265045"),
        ("DE", "AT136695976"),
        ("JP", "TT5835678256246"),
        ("DE", ""),
    ],
)
def test_a_number_of_another_form_is_invalid(country: str, number: str) -> None:
    assert form(country, number) is Form.INVALID


def test_a_country_without_data_is_told_as_unknown_and_never_as_valid() -> None:
    result = checked(TaxRegistration("IS", "IS 12345"), TODAY)
    assert (result.form, result.scheme, result.number) == (Form.UNKNOWN, "", "IS12345")
    assert check(facts("IS", tax_registrations=(TaxRegistration("IS", "IS 12345"),)), NOBODY, TODAY) == []


def test_the_result_says_format_valid_and_names_the_scheme() -> None:
    result = checked(TaxRegistration("DE", "DE136695976"), TODAY)
    assert (result.form.value, result.scheme) == ("FormatValid", "USt-IdNr")


def test_several_registrations_of_one_scheme_are_checked_each() -> None:
    account = facts(
        "DE",
        tax_registrations=(
            TaxRegistration("DE", "DE136695976"),
            TaxRegistration("DE", "DE136695978"),
            TaxRegistration("FR", "FR40303265045"),
        ),
    )
    assert [finding.field for finding in found("tax.", account)] == ["spec.preferences.taxRegistrations[1].number"]


def test_a_person_may_have_a_number_of_another_kind() -> None:
    account = facts("DE", customer_kind="individual", tax_registrations=(TaxRegistration("DE", "12345678911"),))
    assert severities("tax.", account) == [Severity.WARNING]


@pytest.mark.parametrize("country", COUNTRIES)
def test_a_business_without_a_number_is_told_as_its_country_asks(country: str) -> None:
    row = data().jurisdictions[country][0]
    expected = {
        "REQUIRED": [Severity.ERROR if row.firm(Group.TAX_REQUIREMENT) else Severity.WARNING],
        "CONDITIONAL": [Severity.INFO],
        "OPTIONAL": [],
    }
    assert severities("tax.required", facts(country)) == expected[row.tax_id_requirement.value]
    assert found("tax.", facts(country, customer_kind="individual")) == []
    assert found("tax.", facts(country, customer_kind="government")) == []


def test_poland_requires_the_number_and_croatia_whose_requirement_is_unsourced_warns() -> None:
    assert severities("tax.required", facts("PL")) == [Severity.ERROR]
    assert severities("tax.required", facts("HR")) == [Severity.WARNING]


def test_a_number_of_another_country_does_not_stand_for_the_customers_own() -> None:
    account = facts("PL", tax_registrations=(TaxRegistration("DE", "DE136695976"),))
    (finding,) = found("tax.", account, on=date(2026, 1, 1))
    assert finding.cause().reason == "FieldValueRequired"
    assert "rule tax.required.PL" in finding.cause().message
