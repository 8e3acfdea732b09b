"""What has check digits of its own, or is an id of another system, is not taken for a card number; free text is."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from stdnum import luhn

from billing.compliance.einvoicing import EInvoicing
from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.models import UsageEvent
from billing.services.accounts import AccountSpec, open_account
from billing.services.charges import ChargeSpec, report_charge
from billing.services.suspensions import resolve, suspend
from billing.services.usage.intake import report
from milo import audit
from milo.errors import Invalid
from milo.kube.metadata import Metadata
from tests.compliance.facts import TODAY
from tests.support import make
from tests.support.ledger import nothing_changes
from tests.support.usage import REPORTER, an_event, taken

pytestmark = [pytest.mark.django_db, pytest.mark.once]
CARD = "4111111111111111"
CREDITOR_REFERENCE = "RF18539007547034"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# each passes the Luhn check
SIRET, IMEI = "73282932000074", "490154203237518"
KID = f"234567600000000{luhn.calc_check_digit('234567600000000')}"
BOLETO = "00190500954014481606906809350314337370000000100"


def spec(**given: Any) -> AccountSpec:
    return AccountSpec("Acme", "EUR", make.TERMS, make.CARD, **given)


def a_charge(
    account: Any, external_id: str = "E-1", description: str = "", annotations: Any = None, amount: str = "10.00"
) -> Any:
    return report_charge(
        account.organization_id,
        account.name,
        ChargeSpec(external_id, Decimal(amount), account.currency_code, TODAY, description),
        metadata=Metadata(annotations=annotations or {}),
        actor=make.PLATFORM,
    )


def test_external_ids_of_charges_are_not_searched_and_their_descriptions_are() -> None:
    account = make.a_ready_account(make.an_organization())
    assert a_charge(account, CARD).external_id == CARD
    with nothing_changes(), pytest.raises(Invalid) as refusal:
        a_charge(account, "E-2", f"card {CARD}")
    assert [cause.field for cause in refusal.value.causes] == ["spec.description"]


@pytest.mark.parametrize("amount", [f"{CARD}.00", "41111111111111.11", "4111111111111111"])
def test_an_amount_is_no_card_number_however_many_digits_it_has(amount: str) -> None:
    account = make.a_ready_account(make.an_organization())
    charge = a_charge(account, amount=amount, annotations=last_applied(amount=amount))
    charge.refresh_from_db()
    assert charge.amount == Decimal(amount)


@pytest.mark.parametrize("text", [CREDITOR_REFERENCE, "RF18 5390 0754 7034", "paid by RF18 5390 0754 7034 in May"])
def test_a_creditor_reference_passes_anywhere_and_a_card_beside_it_does_not(text: str) -> None:
    account = make.a_ready_account(make.an_organization())
    assert a_charge(account, description=text).description == text
    for wrong in (f"{text} {CARD}", f"{CARD} {text}", f"RF18{CARD}", f"RF18 4111 1111 1111 1111 {text}"):
        with nothing_changes(), pytest.raises(Invalid):
            a_charge(account, "E-3", wrong)


@pytest.mark.parametrize(
    "profile",
    [
        {"avtalegiroNo": {"mandateReference": "M1", "kidNumber": KID}},
        {"sepaCreditTransfer": {"remittanceReference": CREDITOR_REFERENCE}},
        {"boleto": {"boletoReference": BOLETO, "payerTaxId": "39053344705", "payerAddress": "Rua 1"}},
    ],
)
def test_payment_numbers_with_check_digits_are_not_searched(profile: dict[str, Any]) -> None:
    given = AccountSpec("Acme", "", make.TERMS, profile)
    account = open_account(make.an_organization().pk, "us", given, actor=make.PLATFORM)
    assert account.payment_profile == profile


@pytest.mark.parametrize(
    "profile",
    [
        {"avtalegiroNo": {"mandateReference": CARD, "kidNumber": KID}},
        {"sepaCreditTransfer": {"remittanceReference": CARD}},
        {"sepaCreditTransfer": {"remittanceReference": f"{CREDITOR_REFERENCE} {CARD}"}},
        {"boleto": {"boletoReference": CARD, "payerTaxId": "39053344705", "payerAddress": "Rua 1"}},
    ],
)
def test_what_is_no_such_number_is_searched_in_the_same_fields(profile: dict[str, Any]) -> None:
    organization = make.an_organization()
    with nothing_changes(), pytest.raises(Invalid):
        open_account(organization.pk, "us", AccountSpec("Acme", "", make.TERMS, profile), actor=make.PLATFORM)


def test_addresses_of_e_invoices_are_not_searched_and_display_names_are() -> None:
    given = spec(
        preferences=Preferences(
            country="FR", e_invoicing=EInvoicing("PEPPOL_BIS3", peppol_participant_id=f"0225:732829320_{SIRET}")
        )
    )
    organization = make.an_organization()
    account = open_account(organization.pk, "eu", given, actor=make.PLATFORM)
    assert account.e_invoicing["identifiers"]["peppolParticipantId"].endswith(SIRET)
    with nothing_changes(), pytest.raises(Invalid) as refusal:
        open_account(organization.pk, "us", AccountSpec(f"Acme {CARD}", "EUR"), actor=make.PLATFORM)
    assert [cause.field for cause in refusal.value.causes] == ["spec.displayName"]


def last_applied(**spec: Any) -> dict[str, str]:
    return {LAST_APPLIED: json.dumps({"apiVersion": "billing.milo.io/v1alpha1", "kind": "X", "spec": spec})}


def test_the_copy_that_kubectl_keeps_is_searched_as_its_fields_are() -> None:
    organization = make.an_organization()
    account = make.a_ready_account(organization)
    assert a_charge(account, CARD, annotations=last_applied(externalId=CARD))
    kept = last_applied(
        preferences={
            "taxRegistrations": [{"country": "FR", "number": SIRET}],
            "eInvoicing": {"identifiers": {"peppolParticipantId": f"0225:732829320_{SIRET}"}},
        },
        paymentProfile={"avtalegiroNo": {"kidNumber": KID}},
    )
    opened = open_account(organization.pk, "eu", spec(), Metadata(annotations=kept), actor=make.PLATFORM)
    assert opened.annotations == kept
    for text in (
        last_applied(displayName=CARD)[LAST_APPLIED],
        last_applied(displayName="x").popitem()[1].replace("x", "\\u0034111111111111111", 1),
        last_applied(paymentProfile={"creditCard": {"cardReference": CARD}})[LAST_APPLIED],
        CARD,
        json.dumps([CARD]),
        json.dumps({CARD: 1}),
    ):
        with nothing_changes(), pytest.raises(Invalid) as refusal:
            open_account(organization.pk, "us", spec(), Metadata(annotations={LAST_APPLIED: text}), actor=make.PLATFORM)
        assert [cause.field for cause in refusal.value.causes] == [f"metadata.annotations.{LAST_APPLIED}"], text
    other = Metadata(annotations={"note": last_applied(externalId=CARD)[LAST_APPLIED]})
    with nothing_changes(), pytest.raises(Invalid):
        open_account(organization.pk, "us", spec(), other, actor=make.PLATFORM)


def test_a_tax_number_as_evidence_is_not_searched_where_it_is_one() -> None:
    registrations = (TaxRegistration("SA", "300000000000023"),)
    given = spec(preferences=Preferences(country="SA", tax_registrations=registrations))
    account = open_account(make.an_organization().pk, "sa", given, actor=make.PLATFORM)
    suspend(
        account.pk, reason_code="TaxRegistrationInvalid", message="The number is not registered.", actor=make.PLATFORM
    )
    suspension = account.suspensions.get()
    evidence, number = {"taxRegistrationNumber": CARD, "registryCheckReference": "R-1"}, registrations[0].number
    with nothing_changes(), pytest.raises(Invalid) as refusal:
        resolve(account.pk, suspension.uid, evidence=evidence, actor=make.PLATFORM)
    assert [cause.field for cause in refusal.value.causes] == ["spec.evidence.taxRegistrationNumber"]
    resolve(
        account.pk,
        suspension.uid,
        evidence=evidence | {"taxRegistrationNumber": "300000000000023"},
        actor=make.PLATFORM,
    )
    suspension.refresh_from_db()
    assert (suspension.evidence or {})["taxRegistrationNumber"] == number


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("imei", IMEI, True),
        ("device", IMEI, True),
        ("deviceId", CARD, True),
        ("device-id", CARD, True),
        ("sim.iccid", CARD, True),
        ("ID", CARD, True),
        ("note", CARD, False),
        ("device", CARD, False),
        ("valid", CARD, False),
        ("cardId", CARD, False),
        ("device", "378282246310005", False),
    ],
)
def test_ids_among_dimensions_are_not_searched_and_other_dimensions_are(name: str, value: str, accepted: bool) -> None:
    project = make.a_project(make.an_organization())
    event = an_event(project, data={"dimensions": {name: value}})
    if accepted:
        taken(event)
    else:
        assert [rejection.cause.message for rejection in report([event], actor=REPORTER).rejections] == [
            "holds what looks like a card number"
        ]
    assert UsageEvent.objects.count() == accepted


@pytest.mark.parametrize("model", audit.histories(), ids=lambda model: model.__name__)
def test_hashes_that_we_make_are_not_searched(model: Any) -> None:
    """One in 1,250 of 64 hexadecimal digits would pass for a card number."""
    hashes = {column.name for column in model._meta.concrete_fields if re.search("hash|sha256|digest", column.name)}
    assert hashes <= getattr(model, "opaque_columns", frozenset())
