from dataclasses import replace
from typing import Any

import pytest

from billing.compliance.einvoicing import EInvoicing
from billing.compliance.languages import canonical, spoken
from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from tests.compliance.facts import TODAY

FULL = Preferences(
    country="DE",
    customer_kind="government",
    tax_registrations=(TaxRegistration("DE", "DE136695976"), TaxRegistration("FR", "FR40303265045")),
    invoice_language="de-DE",
    invoice_format="XRECHNUNG",
    e_invoicing=EInvoicing("XRECHNUNG", peppol_participant_id="9930:de136695976", leitweg_id="991-03730-19"),
    data_residency="EU",
)
CARD_NUMBER = "4111111111111111"
# special codes, families, private use, and what the registry keeps for no language
NO_LANGUAGES = (
    "und mul zxx mis root und-DE zxx-DE qaa qtz qmx-Latn x-secret art gem sgn i-default i-mingo de-Qaaa de-Zxxx "
    "de-ZZ de-AA de-QM en-a-foo"
).split()


def faults(**given: Any) -> list[str]:
    causes = replace(Preferences(country="DE"), **given).causes(TODAY)
    return [cause.field.removeprefix("spec.preferences.") for cause in causes]


def e_faults(*, government: bool = False, **given: str) -> list[str]:
    causes = EInvoicing(**given).normalised().causes(government=government)
    return [cause.field.removeprefix("spec.preferences.eInvoicing.") for cause in causes]


def test_full_preferences_have_no_fault_and_none_neither() -> None:
    assert FULL.normalised(TODAY) == FULL
    assert FULL.causes(TODAY) == []
    assert Preferences().causes(TODAY) == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"country": "de"}, "country"),
        ({"country": "UK"}, "country"),
        ({"country": "Germany"}, "country"),
        ({"customer_kind": "Business"}, "customerKind"),
        ({"customer_kind": ""}, "customerKind"),
        ({"invoice_language": "german"}, "invoiceLanguage"),
        ({"invoice_language": "de_DE"}, "invoiceLanguage"),
        ({"invoice_language": "xx-DE"}, "invoiceLanguage"),
        *(({"invoice_language": tag}, "invoiceLanguage") for tag in NO_LANGUAGES),
        ({"invoice_format": "FAX"}, "invoiceFormat"),
        ({"data_residency": "Europe"}, "dataResidency"),
        ({"tax_registrations": (TaxRegistration("UK", "GB980780684"),)}, "taxRegistrations[0].country"),
        ({"tax_registrations": (TaxRegistration("ZW", " "),)}, "taxRegistrations[0].number"),
        ({"tax_registrations": (TaxRegistration("ZW", "1" * 41),)}, "taxRegistrations[0].number"),
        ({"tax_registrations": (TaxRegistration("DE", "DE136695976"),) * 2}, "taxRegistrations[1].number"),
        ({"tax_registrations": (TaxRegistration("ZW", "1"),) * 21}, "taxRegistrations"),
    ],
)
def test_a_fault_of_form_names_its_field(given: dict[str, Any], field: str) -> None:
    assert faults(**given) == [field]


@pytest.mark.parametrize("country", ["ZW", "DE"])
def test_a_card_number_is_refused_where_a_tax_number_belongs_unless_it_is_one(country: str) -> None:
    (cause,) = Preferences(tax_registrations=(TaxRegistration(country, "4111 1111 1111 1111"),)).causes(TODAY)
    assert "card number" in cause.message
    assert "1111" not in cause.message


@pytest.mark.parametrize(("country", "scheme"), [("ZW", ""), ("DE", ""), ("DE", "Other"), ("US", "PersonalID")])
def test_a_card_number_beside_other_digits_is_seen_before_they_are_joined(country: str, scheme: str) -> None:
    text = "2026-11 4111 1111 1111 1111 07"
    given = Preferences(customer_kind="individual", tax_registrations=(TaxRegistration(country, text, scheme),))
    (cause,) = given.normalised(TODAY).causes(TODAY)
    assert "card number" in cause.message


def test_a_tax_number_that_passes_for_a_card_number_is_accepted() -> None:
    # 15 digits that pass the Luhn check, in the form of Saudi Arabia
    assert faults(tax_registrations=(TaxRegistration("SA", "300000000000023"),)) == []
    assert faults(tax_registrations=(TaxRegistration("ZW", "300000000000023"),)) == ["taxRegistrations[0].number"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        *[("fr-ca", "fr-CA"), ("DE", "de"), ("zh-hant-hk", "zh-Hant-HK"), ("nb-no", "nb-NO"), ("sq-xk", "sq-XK")],
        *[("i-klingon", "tlh"), ("es-419", "es-419"), ("en-001", "en-001"), ("en-u-nu-arab", "en-u-nu-arab")],
    ],
)
def test_a_language_tag_is_kept_as_bcp_47_writes_it(written: str, kept: str) -> None:
    assert Preferences(invoice_language=written).normalised(TODAY).invoice_language == kept


def test_a_language_is_one_whatever_its_script_region_or_macrolanguage() -> None:
    assert spoken("cmn-Hans-CN") == spoken("zh-HK") == "zh"
    assert spoken("nb-NO") == spoken("nn") == spoken("no") == "no"
    assert canonical("") is None


def test_what_is_stored_is_normalised_and_normalising_again_changes_nothing() -> None:
    loose = Preferences(
        country="GR",
        tax_registrations=(TaxRegistration("GR", "gr 094 259 216"),),
        invoice_language="EL-gr",
        e_invoicing=EInvoicing(
            peppol_participant_id="iso6523-actorid-upis::9933:094259216", codice_destinatario=" abc1234 "
        ),
    )
    kept = loose.normalised(TODAY)
    assert kept.tax_registrations == (TaxRegistration("GR", "EL094259216"),)
    assert kept.invoice_language == "el-GR"
    assert kept.e_invoicing.peppol_participant_id == "9933:094259216"
    assert kept.e_invoicing.codice_destinatario == "ABC1234"
    assert kept.normalised(TODAY) == kept


@pytest.mark.parametrize(
    "participant",
    [
        "0208:0428759497",
        "0192:995525828",
        "0088:4006381333931",
        "9930:de136695976",
        "0211:IT00743110157",
        "0007:1234567897",
        "0204:991-03730-19",
        "9913:anything-at-all",
        "iso6523-actorid-upis::0208:0428759497",
    ],
)
def test_a_peppol_participant_is_a_scheme_and_an_identifier(participant: str) -> None:
    assert e_faults(peppol_participant_id=participant) == []


@pytest.mark.parametrize(
    "participant",
    [
        "0428759497",
        "208:0428759497",
        "0208:",
        "0208:0428759498",
        "0208:0428 759 497",
        "0192:995525829",
        "0088:4006381333930",
        "BE:0428759497",
        f"9999:{CARD_NUMBER}",
        f"9913:{CARD_NUMBER}",
        f"0088:{CARD_NUMBER}",
        "9913:" + "a" * 51,
    ],
)
def test_a_participant_of_another_form_or_with_wrong_check_digits_is_refused(participant: str) -> None:
    assert e_faults(peppol_participant_id=participant) == ["identifiers.peppolParticipantId"]


@pytest.mark.parametrize(("leitweg", "valid"), [("991-03730-19", True), ("991-03730-18", False), ("DE-1", False)])
def test_the_check_digits_of_a_leitweg_id_hold(leitweg: str, valid: bool) -> None:
    assert e_faults(leitweg_id=leitweg) == ([] if valid else ["identifiers.leitwegId"])


@pytest.mark.parametrize(
    ("codice", "government", "valid"),
    [
        ("ABC1234", False, True),
        ("0000000", False, True),
        ("XXXXXXX", False, True),
        ("UFABC1", True, True),
        ("UFABC1", False, False),
        ("ABC1234", True, False),
        ("ABC-123", False, False),
        ("ABC12345", False, False),
    ],
)
def test_a_codice_destinatario_has_7_places_and_6_for_a_government_office(
    codice: str, government: bool, valid: bool
) -> None:
    found = e_faults(codice_destinatario=codice, government=government)
    assert found == ([] if valid else ["identifiers.codiceDestinatario"])


def test_a_pec_address_is_an_email_address_and_a_standard_is_a_known_one() -> None:
    assert e_faults(pec_address="fatture@pec.acme.example") == []
    assert e_faults(pec_address="nobody") == ["identifiers.pecAddress"]
    assert e_faults(standard="FAX") == ["standard"]
    assert e_faults(standard="KSEF_FA3") == []
