import random
from dataclasses import replace
from datetime import date, timedelta

import pytest

from billing.compliance.check import check
from billing.compliance.dataset import data
from billing.compliance.findings import Severity
from billing.compliance.jurisdictions import EUROPEAN_UNION, Group
from billing.compliance.preferences import Preferences
from billing.compliance.tax_numbers import Scheme, TaxNumber
from billing.compliance.tax_registrations import CheckedRegistration, Form, TaxRegistration, checked
from tests.compliance.facts import NOBODY, TODAY, facts, found, severities

COUNTRIES = sorted(data().jurisdictions)
KINDS = [kind for kinds in data().tax_numbers.values() for kind in kinds]
WRONG = [kind for kind in KINDS if kind.invalid_sample]
# what is copied along with a number from documents and web pages
UNSEEN = ["\u200b", "\u00ad", "\u202a", "\u202c", "\u2066", "\u200e", "\ufeff", "\ufe0f", "\u00a0", "\t", "-", "\u2013"]
SCRIPTS = ["\uff10", "\u0660", "\u06f0", "\u0966", "\u0e50"]


def judged(country: str, number: str, scheme: str = "") -> CheckedRegistration:
    return checked(TaxRegistration(country, number, scheme), TODAY)


def form(country: str, number: str) -> Form:
    return judged(country, number).form


def label(kind: TaxNumber) -> str:
    return f"{kind.country}-{kind.name}"


def test_every_country_with_rules_has_a_default_number_with_a_wrong_one_to_tell_it_from() -> None:
    assert all(data().tax_numbers[country][0].invalid_sample for country in COUNTRIES)


@pytest.mark.parametrize("kind", KINDS, ids=label)
def test_the_sample_of_a_kind_is_valid_under_its_scheme_and_kept_without_a_card_number_being_seen(
    kind: TaxNumber,
) -> None:
    for scheme in kind.schemes:
        result = judged(kind.country, kind.valid_sample, scheme)
        assert (result.form, result.scheme) == (Form.VALID, scheme)
    alone = judged(kind.country, kind.valid_sample)
    assert alone.form is Form.VALID
    assert alone.scheme == Scheme.VAT or kind.scheme != Scheme.VAT
    preferences = Preferences(tax_registrations=(TaxRegistration(kind.country, kind.valid_sample),))
    assert preferences.causes(TODAY) == []


@pytest.mark.parametrize("country", COUNTRIES)
def test_the_default_number_of_a_country_has_no_finding(country: str) -> None:
    sample = data().tax_numbers[country][0].valid_sample
    assert found("tax.", facts(country, tax_registrations=(TaxRegistration(country, sample),))) == []


@pytest.mark.parametrize("kind", WRONG, ids=label)
def test_a_wrong_number_is_not_valid_under_its_scheme(kind: TaxNumber) -> None:
    result = judged(kind.country, kind.invalid_sample, kind.scheme)
    assert result.name != kind.name or result.form is not Form.VALID


@pytest.mark.parametrize("country", COUNTRIES)
def test_a_wrong_default_number_is_refused_or_warned_of_where_its_form_is_not_firm(country: str) -> None:
    kind, row = data().tax_numbers[country][0], data().jurisdictions[country][0]
    account = facts(country, tax_registrations=(TaxRegistration(country, kind.invalid_sample),))
    (finding,) = found("tax.", account)
    assert finding.severity is (Severity.ERROR if kind.firm else Severity.WARNING)
    assert finding.field == "spec.preferences.taxRegistrations[0].number"
    assert finding.rule == f"tax.format.{country}"
    assert row.name in finding.message
    assert kind.invalid_sample not in finding.message


def test_what_is_not_firm_among_the_countries_with_rules_is_what_the_data_say() -> None:
    assert {country for country in COUNTRIES if not data().tax_numbers[country][0].firm} == {"HK", "ID", "MY", "ZA"}


@pytest.mark.parametrize(
    ("country", "written", "scheme", "name", "number"),
    [
        ("DE", "de 136 695 976", "VAT", "USt-IdNr", "DE136695976"),
        ("GR", "GR094259216", "VAT", "AFM", "EL094259216"),
        ("GR", "EL 094259216", "VAT", "AFM", "EL094259216"),
        ("CH", "CHE-107.787.577 IVA", "VAT", "UID + MWST/TVA/IVA/TPV", "CHE107787577IVA"),
        ("NO", "NO 995 525 828 MVA", "VAT", "Orgnr + MVA", "NO995525828MVA"),
        ("NO", "995 525 828 MVA", "VAT", "Orgnr + MVA", "995525828MVA"),
        ("GB", "GB 980 7806 84", "VAT", "VAT", "GB980780684"),
        ("GB", "GBGD001", "VAT", "VAT", "GBGD001"),
        ("GB", "GBHA500", "VAT", "VAT", "GBHA500"),
        ("GB", "GB980780684001", "VAT", "VAT", "GB980780684001"),
        ("GB", "XI980780684", "VAT", "VAT (Northern Ireland)", "XI980780684"),
        ("IE", "IE8Z49289F", "VAT", "VAT", "IE8Z49289F"),
        ("NL", "\uff2e\uff2c004495445B01", "VAT", "Btw-id", "NL004495445B01"),
        ("ES", "ESX5253868R", "VAT", "NIF", "ESX5253868R"),
        # of other kinds in the same country, never false VAT
        ("AT", "59-119/9013", "Other", "Abgabenkontonummer (Steuernummer)", "591199013"),
        ("BE", "0428.759.497", "NationalBusinessID", "KBO/BCE number", "0428759497"),
        ("BE", "85.07.30-033 28", "PersonalID", "Rijksregisternummer", "85073003328"),
        ("CH", "CHE-116.281.710", "NationalBusinessID", "UID", "CHE116281710"),
        ("NO", "998041538", "NationalBusinessID", "Organisasjonsnummer", "998041538"),
        ("HU", "12892312-2-42", "NationalBusinessID", "Adoszam", "12892312242"),
        ("HU", "17782555-5-13", "NationalBusinessID", "Adoszam", "17782555513"),
        ("HU", "15789934-2-51", "NationalBusinessID", "Adoszam", "15789934251"),
        ("FR", "732 829 320", "NationalBusinessID", "SIREN", "732829320"),
        ("FR", "732 829 320 00074", "NationalBusinessID", "SIRET", "73282932000074"),
        ("DE", "181/815/08155", "Other", "Steuernummer", "18181508155"),
        ("DE", "36 574 261 809", "PersonalID", "IdNr", "36574261809"),
        ("DE", "DE136695976-00001", "NationalBusinessID", "W-IdNr", "DE13669597600001"),
        ("IT", "RSSMRA85T10A562S", "PersonalID", "Codice fiscale", "RSSMRA85T10A562S"),
        ("IT", "00743110157", "NationalBusinessID", "Codice fiscale of an organization", "00743110157"),
        ("SE", "556016-0680", "NationalBusinessID", "Organisationsnummer", "5560160680"),
        ("SE", "880320-0016", "PersonalID", "Personnummer", "8803200016"),
        ("DK", "13 58 56 28", "NationalBusinessID", "CVR", "13585628"),
        ("FI", "2077474-0", "NationalBusinessID", "Y-tunnus", "20774740"),
        ("PL", "856-734-62-15", "NationalBusinessID", "NIP without PL", "8567346215"),
        ("PL", "192 598 184", "NationalBusinessID", "REGON", "192598184"),
        ("PL", "44051401359", "PersonalID", "PESEL", "44051401359"),
        ("ES", "B-58378431", "NationalBusinessID", "NIF of an organization (CIF)", "B58378431"),
        ("ES", "54362315-K", "PersonalID", "NIF of a person (DNI, NIE)", "54362315K"),
        ("ES", "X-5253868-R", "PersonalID", "NIF of a person (DNI, NIE)", "X5253868R"),
        ("GB", "1955839661", "Other", "UTR", "1955839661"),
        ("CA", "123026635", "NationalBusinessID", "BN", "123026635"),
        ("CA", "123026635 RC0001", "NationalBusinessID", "BN program account", "123026635RC0001"),
        ("CA", "1234567890TQ0001", "Other", "QST account (TQ)", "1234567890TQ0001"),
        ("US", "91-1144442", "NationalBusinessID", "EIN", "911144442"),
        ("MX", "PE\u00d1850101AB1", "NationalBusinessID", "RFC", "PE\u00d1850101AB1"),
        ("MX", "\u00d1A\u00d1850101AB1", "NationalBusinessID", "RFC", "\u00d1A\u00d1850101AB1"),
        ("MX", "pen\u0303-850101-ab1", "NationalBusinessID", "RFC", "PE\u00d1850101AB1"),
        ("MX", "GODE 561231 GR8", "PersonalID", "RFC of a person", "GODE561231GR8"),
        ("BR", "16.727.230/0001-97", "NationalBusinessID", "CNPJ", "16727230000197"),
        ("BR", "12.ABC.345/01DE-35", "NationalBusinessID", "CNPJ", "12ABC34501DE35"),
        ("BR", "390.533.447-05", "PersonalID", "CPF", "39053344705"),
        ("AR", "20-26756539-3", "PersonalID", "CUIT/CUIL of a person", "20267565393"),
        ("IN", "9917IRL29003OSG", "GST", "GSTIN of an OIDAR supplier", "9917IRL29003OSG"),
        ("IN", "9922JPN29001OSU", "GST", "GSTIN of an OIDAR supplier", "9922JPN29001OSU"),
        ("IN", "0717UNO00157UNO", "GST", "UIN", "0717UNO00157UNO"),
        ("IN", "AAPFU0939F", "NationalBusinessID", "PAN", "AAPFU0939F"),
        ("AU", "004 085 616", "NationalBusinessID", "ACN", "004085616"),
        ("SG", "M90375350L", "GST", "GST registration number", "M90375350L"),
        ("SG", "M9-0375350-L", "GST", "GST registration number", "M90375350L"),
        ("VN", "001203012345", "PersonalID", "Personal identification number", "001203012345"),
        ("VN", "0314409058-002", "NationalBusinessID", "MST", "0314409058002"),
        ("TH", "0994000617721-00000", "NationalBusinessID", "TIN", "099400061772100000"),
        ("TH", "0994000617721-00001", "NationalBusinessID", "TIN and branch", "099400061772100001"),
        ("TR", "10000000146", "PersonalID", "TCKN", "10000000146"),
        ("IL", "516179157", "NationalBusinessID", "Company number (HP)", "516179157"),
        ("JP", "T7000012050002", "VAT", "Qualified invoice issuer number", "T7000012050002"),
        ("JP", "7-0000-1205-0002", "NationalBusinessID", "Corporate number", "7000012050002"),
        ("EU", "EU372041333", "Other", "OSS number (non-Union scheme)", "EU372041333"),
        ("IE", "EU 372041333", "Other", "OSS number (non-Union scheme)", "EU372041333"),
        ("NL", "IM3720000012", "Other", "IOSS number", "IM3720000012"),
        ("TW", "00501503", "NationalBusinessID", "UBN", "00501503"),
        ("CL", "12.531.909-2", "NationalBusinessID", "RUT", "125319092"),
        ("CO", "213.123.432-1", "NationalBusinessID", "NIT", "2131234321"),
        ("PE", "20512333797", "NationalBusinessID", "RUC", "20512333797"),
        ("RS", "101134702", "VAT", "PIB", "101134702"),
        ("XK", "810000000", "NationalBusinessID", "NUI", "810000000"),
        ("HR", "33392005961", "NationalBusinessID", "OIB without HR", "33392005961"),
        ("GR", "094259216", "NationalBusinessID", "AFM without EL", "094259216"),
        ("LT", "304971164", "NationalBusinessID", "Juridinio asmens kodas", "304971164"),
        ("SI", "50223054", "NationalBusinessID", "Davcna stevilka", "50223054"),
        ("SK", "2022749619", "NationalBusinessID", "DIC", "2022749619"),
        ("SK", "710319/2745", "PersonalID", "Rodne cislo", "7103192745"),
        ("IE", "123456", "NationalBusinessID", "CRO number", "123456"),
        ("LU", "2025 2400 000", "NationalBusinessID", "Matricule nationale", "20252400000"),
        ("CA", "123026635 RD 0001", "NationalBusinessID", "BN program account", "123026635RD0001"),
        # the prefix claims the registration: nothing is added
        ("DE", "136 695 976", "Other", "USt-IdNr without DE", "136695976"),
        ("AT", "U13585627", "Other", "UID without AT", "U13585627"),
        ("GB", "980 7806 84", "Other", "VAT without GB", "980780684"),
        ("FR", "40 303 265 045", "Other", "TVA (SIREN inside) without FR", "40303265045"),
    ],
)
def test_a_number_is_kept_as_its_kind(country: str, written: str, scheme: str, name: str, number: str) -> None:
    result = judged(country, written)
    assert (result.form, result.scheme, result.name, result.number) == (Form.VALID, scheme, name, number)


@pytest.mark.parametrize(
    ("country", "number"),
    [
        ("CH", "CHE-116.281.711"),
        ("NO", "998041539"),
        ("HU", "12892313-2-42"),
        ("HU", "12892312-6-42"),
        ("BR", "390.533.447-06"),
        ("FR", "732829321"),
        ("FR", "73282932000075"),
        ("IN", "9917IRL29003OSH"),
        ("IN", "0717UNO00157UNP"),
        ("MX", "PE\u00d1851301AB1"),
        ("MX", "PE\u00d1850101ABB"),
        ("SG", "M903753"),
        ("TH", "0994000617723-00000"),
        ("IT", "RSSMRA85T10A562T"),
        ("SE", "556016-0681"),
        ("US", "EU372041333"),
        ("EU", "EU999041333"),
        ("US", "07-1144442"),
        ("DE", "FR40303265045"),
        ("DE", "AT136695976"),
        ("DE", "136695978"),
        ("JP", "TT5835678256246"),
        ("SA", "3\u0661\u0660"),
        ("TR", "1000000014\u0131"),
        ("DE", ""),
    ],
)
def test_what_a_register_cannot_have_given_is_invalid(country: str, number: str) -> None:
    result = judged(country, number)
    assert (result.form, result.scheme, result.name) == (Form.INVALID, "", "")


def test_a_kind_is_known_from_the_day_it_was_introduced() -> None:
    person = TaxRegistration("VN", "001203012345")
    introduced = date(2025, 7, 1)
    assert checked(person, introduced).form is Form.VALID
    assert checked(person, introduced - timedelta(days=1)).form is Form.INVALID


def test_a_scheme_that_is_given_must_be_the_one_of_the_number() -> None:
    assert judged("FR", "732829320", "VAT").form is Form.INVALID
    assert judged("FR", "732829320", "NationalBusinessID").form is Form.VALID
    account = facts("FR", tax_registrations=(TaxRegistration("FR", "732829320", "VAT"),))
    (finding,) = found("tax.format", account)
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith("is no VAT number of France but SIREN: its scheme is NationalBusinessID"), (
        finding.message
    )
    assert judged("US", "911144442", "VAT").form is Form.INVALID
    assert judged("US", "911144442", "GST").form is Form.INVALID


def test_a_scheme_that_is_given_makes_a_vat_number_of_one_without_prefix() -> None:
    result = judged("DE", "136695976", "VAT")
    assert (result.form, result.scheme, result.number) == (Form.VALID, "VAT", "136695976")
    assert judged("DE", "136695978", "VAT").form is Form.INVALID


@pytest.mark.parametrize(
    ("country", "number", "scheme"),
    [
        ("AU", "83914571673", "GST"),
        ("SG", "197401143C", "GST"),
        ("MX", "MAB9307148T4", "VAT"),
        ("KR", "1168200276", "VAT"),
        ("TW", "00501503", "VAT"),
        ("TH", "0994000617721-00000", "VAT"),
        ("JP", "7000012050002", "VAT"),
    ],
)
def test_a_business_number_under_which_vat_is_registered_may_be_given_as_such(
    country: str, number: str, scheme: str
) -> None:
    assert judged(country, number).scheme == Scheme.NATIONAL_BUSINESS_ID
    result = judged(country, number, scheme)
    assert (result.form, result.scheme) == (Form.VALID, scheme)


def test_a_kind_that_the_data_lack_is_kept_under_the_scheme_that_is_given() -> None:
    for country, number, scheme in [
        ("DE", "HRB 86891", "Other"),
        ("US", "078-05-1120", "PersonalID"),
        ("AE", "CN-1234567", "NationalBusinessID"),
    ]:
        result = judged(country, number, scheme)
        assert (result.form, result.scheme) == (Form.UNKNOWN, scheme)
        assert found("tax.format", facts(country, tax_registrations=(TaxRegistration(country, number, scheme),))) == []


@pytest.mark.parametrize("number", ["DE136695976", "DE136695978", "de 136 695 978"])
@pytest.mark.parametrize("scheme", ["Other", "PersonalID", "NationalBusinessID"])
def test_no_scheme_hides_a_number_that_claims_to_be_for_vat(number: str, scheme: str) -> None:
    assert judged("DE", number, scheme).form is Form.INVALID


@pytest.mark.parametrize(
    ("country", "one", "other"),
    [
        ("JP", "T7000012050002", "7000012050002"),
        ("DE", "DE136695976", "136695976"),
        ("BE", "BE0428759497", "0428.759.497"),
        ("GR", "GR094259216", "EL094259216"),
        ("GR", "094259216", "EL094259216"),
        ("CH", "CHE-107.787.577 IVA", "CHE-107.787.577 MWST"),
        ("CH", "CHE-107.787.577 IVA", "CHE-107.787.577"),
        ("NO", "NO995525828MVA", "995525828"),
        ("TH", "0994000617721", "0994000617721-00000"),
        ("NZ", "49098576", "049-098-576"),
        ("ID", "013121660091000", "0013121660091000"),
        ("RO", "RO18547290", "RO0018547290"),
        ("SE", "556016-0680", "165560160680"),
        ("IS", "00621", "IS00621"),
        ("ZW", "10-01", "1001"),
    ],
)
def test_two_spellings_are_one_registration(country: str, one: str, other: str) -> None:
    twice = Preferences(tax_registrations=(TaxRegistration(country, one), TaxRegistration(country, other)))
    (cause,) = twice.normalised(TODAY).causes(TODAY)
    assert (cause.field, cause.reason) == ("spec.preferences.taxRegistrations[1].number", "FieldValueDuplicate")
    assert "taxRegistrations[0]" in cause.message


@pytest.mark.parametrize(
    ("country", "one", "other"),
    [
        ("FR", "FR40303265045", "303265045"),
        ("HU", "HU12892312", "12892312-2-42"),
        ("GB", "GB980780684", "GB980780684001"),
        ("CA", "123026635RT0001", "123026635RT0002"),
        ("TH", "0994000617721", "0994000617721-00001"),
        ("VN", "0314409058", "0314409058-002"),
        ("FR", "732829320", "73282932000074"),
    ],
)
def test_two_numbers_of_one_company_are_two_registrations(country: str, one: str, other: str) -> None:
    both = Preferences(tax_registrations=(TaxRegistration(country, one), TaxRegistration(country, other)))
    assert both.normalised(TODAY).causes(TODAY) == []


def test_the_same_number_in_two_countries_is_two_registrations() -> None:
    both = (TaxRegistration("SK", "25123891"), TaxRegistration("CZ", "25123891"))
    assert Preferences(tax_registrations=both).causes(TODAY) == []


@pytest.mark.parametrize("kind", KINDS, ids=label)
def test_what_nobody_sees_and_digits_of_other_scripts_make_no_other_number(kind: TaxNumber) -> None:
    sample = kind.valid_sample
    for unseen in UNSEEN:
        assert judged(kind.country, unseen.join(sample)) == judged(kind.country, sample), ascii(unseen)
    for zero in SCRIPTS:
        written = sample.translate({ord(str(digit)): chr(ord(zero) + digit) for digit in range(10)})
        assert judged(kind.country, written) == judged(kind.country, sample), ascii(zero)
    assert judged(kind.country, sample.lower()) == judged(kind.country, sample)


@pytest.mark.parametrize("kind", KINDS, ids=label)
def test_no_form_matches_digits_of_other_scripts(kind: TaxNumber) -> None:
    for zero in SCRIPTS:
        written = kind.valid_sample.translate({ord(str(digit)): chr(ord(zero) + digit) for digit in range(10)})
        assert written == kind.valid_sample or kind.base(written) == ""


def test_normalizing_twice_changes_nothing() -> None:
    chance = random.Random(20261128)
    alphabet = [*"0123456789abzABZ&+* ./-\u00df\u0131\u00f1\u00bd\u2075", "n\u00ad\u0303", "\u0390", "\u0345", *UNSEEN]
    alphabet += [chr(chance.randrange(0x20, 0xD7FF)) for _ in range(200)]
    countries = [*data().tax_numbers, "ZW"]
    for _round in range(20_000):
        kind = chance.choice(KINDS)
        country = chance.choice([kind.country, chance.choice(countries)])
        text = list(kind.valid_sample if chance.random() < 0.7 else "")
        for _more in range(chance.randrange(6)):
            text.insert(chance.randrange(len(text) + 1), chance.choice(alphabet))
        scheme = chance.choice(["", "", *Scheme])
        given = Preferences(tax_registrations=(TaxRegistration(country, "".join(text), scheme),))
        once = given.normalised(TODAY)
        assert once.normalised(TODAY) == once, ascii(text)
        (first,), (again,) = given.tax_registrations, once.tax_registrations
        assert checked(first, TODAY) == checked(again, TODAY)
        # the scheme that was found may be written down, and changes nothing
        result = checked(again, TODAY)
        if result.form is Form.VALID:
            explicit = checked(replace(again, scheme=result.scheme), TODAY)
            assert (explicit.scheme, explicit.number, explicit.form) == (result.scheme, result.number, Form.VALID)


def test_a_country_without_data_is_told_as_unknown_and_never_as_valid() -> None:
    result = judged("ZW", "ZW 12345")
    assert (result.form, result.scheme, result.name, result.number) == (Form.UNKNOWN, "", "", "ZW12345")
    assert check(facts("ZW", tax_registrations=(TaxRegistration("ZW", "ZW 12345"),)), NOBODY, TODAY) == []


def test_a_wrong_number_of_a_country_without_rules_is_only_warned_of() -> None:
    without = {kind.country for kind in KINDS} - set(COUNTRIES) - {EUROPEAN_UNION}
    assert {kind.firm for kind in KINDS if kind.country in without} == {False}
    account = facts("TW", tax_registrations=(TaxRegistration("TW", "00501502"),))
    assert severities("tax.", account) == [Severity.WARNING]


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
    account = facts("DE", customer_kind="individual", tax_registrations=(TaxRegistration("DE", "DE-P-1"),))
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


def test_a_number_of_the_one_stop_shop_is_one_whichever_member_it_is_given_with() -> None:
    registrations = tuple(TaxRegistration(country, "EU372041333") for country in ("EE", "EU", "IE"))
    causes = Preferences(tax_registrations=registrations).causes(TODAY)
    assert [cause.field.rpartition("[")[2] for cause in causes] == ["1].number", "2].number"]


@pytest.mark.parametrize(("number", "told"), [("HRB 123456", True), ("DE136695978", False)])
def test_who_has_a_number_of_an_unknown_kind_is_told_its_scheme(number: str, told: bool) -> None:
    (finding,) = found("tax.", facts("DE", tax_registrations=(TaxRegistration("DE", number),)))
    assert ("scheme Other" in finding.message) is told
    given = facts("DE", tax_registrations=(TaxRegistration("DE", number, "Other"),))
    assert (found("tax.", given) == []) is told
