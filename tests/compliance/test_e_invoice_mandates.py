from datetime import date, timedelta

import pytest

from billing.compliance.dataset import data
from billing.compliance.einvoicing import EInvoicing
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Severity
from billing.compliance.jurisdictions import Group
from billing.compliance.mandates import Mandate
from tests.compliance.facts import TODAY, facts, found, severities

MANDATES = [mandate for rows in data().mandates.values() for mandate in rows]
KINDS = {"B2G": "government"}
SELLERS = {"EU": "FR"}
CUSTOMERS = {"EU": "DE"}
DAY = timedelta(days=1)


def a_customer(mandate: Mandate, standard: str = "") -> AccountFacts:
    country = CUSTOMERS.get(mandate.country, mandate.country)
    kind = KINDS.get(mandate.scope, "business")
    return facts(country, customer_kind=kind, e_invoicing=EInvoicing(standard))


def a_seller(mandate: Mandate) -> PlatformSettings:
    return PlatformSettings(seller_country=SELLERS.get(mandate.country, mandate.country))


def binds(mandate: Mandate) -> bool:
    """docs/compliance.md, "Domestic mandates": of a domestic supply on a day when the row is in force."""
    return (
        mandate.status == "LAW"
        and mandate.scope in ("B2B_DOMESTIC", "ALL_DOMESTIC")
        and mandate.kind in ("EXCHANGE", "CLEARANCE")
    )


def is_firm(mandate: Mandate) -> bool:
    """docs/compliance.md, "Firm and soft rules"."""
    return mandate.sourced and data().jurisdictions[mandate.country][0].firm(Group.EINVOICE)


@pytest.mark.parametrize("mandate", MANDATES, ids=lambda mandate: mandate.rule)
def test_a_mandate_informs_the_day_before_and_acts_on_the_day_it_takes_effect(mandate: Mandate) -> None:
    start = mandate.effective_from
    (before,) = found(mandate.rule, a_customer(mandate), a_seller(mandate), start - DAY)
    (after,) = found(mandate.rule, a_customer(mandate), a_seller(mandate), start)
    assert before.severity is Severity.INFO
    expected = (Severity.ERROR if is_firm(mandate) else Severity.WARNING) if binds(mandate) else Severity.INFO
    assert after.severity is expected
    assert (after.effective_from, after.source) == (start, mandate.source)
    assert start.isoformat() in after.message
    assert mandate.applies_to in after.message


@pytest.mark.parametrize("mandate", [each for each in MANDATES if each.effective_to], ids=lambda mandate: mandate.rule)
def test_a_mandate_that_has_ended_says_nothing_from_the_day_after(mandate: Mandate) -> None:
    assert mandate.effective_to
    assert len(found(mandate.rule, a_customer(mandate), a_seller(mandate), mandate.effective_to)) == 1
    assert found(mandate.rule, a_customer(mandate), a_seller(mandate), mandate.effective_to + DAY) == []


@pytest.mark.parametrize("mandate", MANDATES, ids=lambda mandate: mandate.rule)
def test_a_standard_that_satisfies_a_mandate_silences_it(mandate: Mandate) -> None:
    satisfying = {mandate.standard} | data().standards[mandate.standard].satisfied_by
    for standard in satisfying:
        assert found(mandate.rule, a_customer(mandate, standard), a_seller(mandate), mandate.effective_from) == []


@pytest.mark.parametrize("mandate", [each for each in MANDATES if binds(each)], ids=lambda mandate: mandate.rule)
def test_a_seller_abroad_or_unknown_is_never_rejected(mandate: Mandate) -> None:
    for seller in ("US", ""):
        found_there = severities(
            mandate.rule, a_customer(mandate), PlatformSettings(seller_country=seller), mandate.effective_from
        )
        assert found_there == [Severity.INFO]


def test_what_may_reject_is_just_what_is_firm_and_binding() -> None:
    rejecting = {mandate.country for mandate in MANDATES if binds(mandate) and is_firm(mandate)}
    assert rejecting == set("BE HR FR DE GR IT PL RO SK BR IN CN SA AE IL TR MY".split())


def test_another_standard_than_the_mandated_one_does_not_satisfy_it() -> None:
    seller = PlatformSettings(seller_country="BE")
    facturx = facts("BE", e_invoicing=EInvoicing("FACTURX"))
    assert severities("einvoice.BE", facturx, seller, date(2026, 1, 1)) == [Severity.ERROR]


def test_a_mandate_among_businesses_does_not_bind_consumers_and_one_of_all_supplies_does() -> None:
    consumer = facts("PL", customer_kind="individual")
    assert found("einvoice.", consumer, PlatformSettings(seller_country="PL")) == []
    consumer = facts("IT", customer_kind="individual")
    assert severities("einvoice.", consumer, PlatformSettings(seller_country="IT")) == [Severity.ERROR]


def test_what_is_no_law_yet_only_informs_even_after_its_day() -> None:
    seller = PlatformSettings(seller_country="ES")
    account = facts("ES", e_invoicing=EInvoicing())
    planned = found("einvoice.ES.ES_UBL_B2B", account, seller, date(2030, 1, 1))
    assert [finding.severity for finding in planned] == [Severity.INFO, Severity.INFO]
    assert all("no law yet" in finding.message for finding in planned)


def test_the_union_informs_about_supplies_between_its_countries_only() -> None:
    in_union = PlatformSettings(seller_country="FR")
    assert severities("einvoice.EU", facts("DE"), in_union) == [Severity.INFO]
    assert found("einvoice.EU", facts("FR"), in_union) == []
    assert found("einvoice.EU", facts("NO"), in_union) == []
    assert found("einvoice.EU", facts("DE"), PlatformSettings(seller_country="US")) == []


def test_obligations_of_the_sellers_software_concern_no_customer_abroad() -> None:
    assert found("einvoice.SG", facts("SG"), PlatformSettings(seller_country="US")) == []
    assert set(severities("einvoice.SG", facts("SG"), PlatformSettings(seller_country="SG"))) == {Severity.INFO}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (EInvoicing("PEPPOL_BIS3"), "peppolParticipantId"),
        (EInvoicing("FATTURAPA_SDI"), "codiceDestinatario"),
        (EInvoicing("PEPPOL_BIS3", peppol_participant_id="0208:0428759497"), ""),
        (EInvoicing("FATTURAPA_SDI", codice_destinatario="0000000"), ""),
        (EInvoicing("KSEF_FA3"), ""),
        (EInvoicing("XRECHNUNG"), ""),
    ],
)
def test_a_standard_without_the_identifier_it_delivers_to_is_warned_of(given: EInvoicing, missing: str) -> None:
    warnings = found("einvoice.identifier", facts("US", e_invoicing=given))
    assert [finding.field for finding in warnings] == (
        [f"spec.preferences.eInvoicing.identifiers.{missing}"] if missing else []
    )
    assert all(finding.severity is Severity.WARNING for finding in warnings)


def test_a_government_office_needs_a_leitweg_id_for_an_xrechnung() -> None:
    office = facts("DE", customer_kind="government", e_invoicing=EInvoicing("XRECHNUNG"))
    assert severities("einvoice.identifier", office) == [Severity.WARNING]


def test_a_finding_explains_itself_to_a_finance_person() -> None:
    (finding,) = found("einvoice.BE", facts("BE"), PlatformSettings(seller_country="BE"), TODAY)
    cause = finding.cause()
    assert cause.field == "spec.preferences.eInvoicing.standard"
    assert cause.message == (
        "Belgium requires e-invoices by PEPPOL_BIS3 for domestic supplies since 2026-01-01: VAT-registered both sides; "
        "other EN16931 only by mutual written agreement (rule einvoice.BE.PEPPOL_BIS3.B2B_DOMESTIC.2026-01-01, "
        "in force from 2026-01-01, confidence H, source CLEARVO)"
    )
