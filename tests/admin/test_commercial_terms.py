"""Payment terms, payment methods and regional rules on the staff site."""

import re
from datetime import date
from typing import Any

import pytest
from django.test import Client

from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.models import ApprovalRequest, BillingAccount
from billing.services.compliance import drift
from billing.terms.payment_terms import PaymentTerms
from tests.admin.browser import errors, filled_in, list_of, page_of, staff, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.clock import clock
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.once

__all__ = ["clock"]
DRIFT = list_of(BillingAccount, "drift")
GERMAN: dict[str, Any] = {
    "currency_code": "EUR",
    "preferences": Preferences("DE", tax_registrations=(TaxRegistration("DE", "DE136695976"),)),
}


def panel(page: Any, title: str) -> list[list[Any]]:
    (found,) = [it for it in page.context["panels"] if it.title.startswith(title)]
    rows: list[list[Any]] = found.rows
    return rows


def test_everything_that_an_account_can_be_is_asked_for_in_its_form(world: World, operator: Client) -> None:
    submit(
        operator,
        page_of(world.eu, "revise"),
        why="as agreed",
        invoice_frequency="Quarterly",
        anchor_month="2",
        business_day_convention="FOLLOWING",
        discount_percent="2.5",
        discount_days="10",
        penalty_percent="9.12",
        extended_terms_agreed="on",
        card_reference="",
        payment_method="sepaDebitB2b",
        mandate_reference="M1",
        mandate_signed_date="2026-01-15",
        iban_token="b1",
        debtor_bank_confirmed="on",
        country="DE",
        customer_kind="business",
        tax_registrations="DE de 136 695 976\nFR FR40303265045\nDE HRB 86891 (Other)",
        invoice_language="de-de",
        invoice_format="XRECHNUNG",
        e_invoice_standard="XRECHNUNG",
        peppol_participant_id="9930:de136695976",
        data_residency="EU",
    )
    world.eu.refresh_from_db()
    assert world.eu.payment_terms.as_json() == {
        "netDays": 30,
        "invoiceFrequency": "Quarterly",
        "invoiceDayOfMonth": 1,
        "anchorMonth": 2,
        "businessDayConvention": "FOLLOWING",
        "extendedTermsAgreed": True,
        "earlyPaymentDiscount": {"percent": "2.5", "days": 10},
        "latePaymentPenalty": {"annualRatePercent": "9.12", "graceDays": 0},
    }
    assert world.eu.payment_profile == {
        "sepaDebitB2b": {
            "mandateReference": "M1",
            "mandateSignedDate": "2026-01-15",
            "ibanToken": "b1",
            "debtorBankConfirmed": True,
        }
    }
    assert world.eu.preferences.as_json() == {
        "country": "DE",
        "customerKind": "business",
        "taxRegistrations": [
            {"country": "DE", "number": "DE136695976"},
            {"country": "FR", "number": "FR40303265045"},
            {"country": "DE", "number": "HRB86891", "scheme": "Other"},
        ],
        "invoiceLanguage": "de-DE",
        "invoiceFormat": "XRECHNUNG",
        "eInvoicing": {"standard": "XRECHNUNG", "identifiers": {"peppolParticipantId": "9930:de136695976"}},
        "dataResidency": "EU",
    }
    with nothing_changes():
        assert submit(operator, page_of(world.eu, "revise"), why="as agreed").status_code == 302


def test_tax_registrations_are_chosen_and_typed_in_rows(world: World, operator: Client) -> None:
    address = page_of(world.us, "revise")
    page = operator.get(address)
    assert len(re.findall(r'name="tax_registrations_[0-9]+"', page.content.decode())) == 9
    sent = filled_in(page, why="as agreed", country="DE")
    del sent["tax_registrations"]
    rows = ("DE", "DE136695976", ""), ("", "", ""), ("", "HRB 86891", "Other")
    cells = {f"tax_registrations_{number}": cell for number, cell in enumerate(cell for row in rows for cell in row)}
    with nothing_changes():
        refused = operator.post(address, {**sent, **cells})
    assert "2: " in errors(refused)["tax_registrations"][0]
    shown = refused.content.decode()
    assert 'name="tax_registrations_4" value="HRB 86891"' in shown
    assert '<option value="Other" selected>' in shown
    assert len(re.findall(r'name="tax_registrations_[0-9]+"', shown)) == 15
    preview = operator.post(address, {**sent, **cells, "tax_registrations_6": "DE"})
    assert ("Tax registrations", "- → DE DE136695976, DE HRB86891 (Other)") in preview.context["preview"]
    assert operator.post(address, {**filled_in(preview), "confirm": "1"}).status_code == 302
    world.us.refresh_from_db()
    assert [each["number"] for each in world.us.tax_registrations] == ["DE136695976", "HRB86891"]


@pytest.mark.parametrize(
    ("answers", "field", "says"),
    [
        ({"discount_percent": "2"}, "discount_days", "must be given"),
        ({"penalty_grace_days": "2"}, "penalty_percent", "must be given"),
        ({"payment_method": "paypal"}, "card_reference", "belongs to another payment method"),
        ({"payment_method": ""}, "payment_method", "choose the method"),
        ({"card_reference": "", "payment_method": "paypal"}, "billing_agreement_reference", "is required"),
        (
            {"card_reference": "", "payment_method": "swissQrBill", "qr_iban_token": "t", "qr_reference": "1"},
            "qr_reference",
            "27 digits",
        ),
        (
            {"card_reference": "", "payment_method": "sepaCreditTransfer"},
            "virtual_account_reference",
            "is required, or Remittance reference",
        ),
        ({"exp_month": "1"}, "payment_method", "both Month of expiry and Year of expiry"),
        ({"tax_registrations": "DE 1"}, "tax_registrations", "has scheme Other"),
        ({"tax_registrations": "FR 732829320 (VAT)"}, "tax_registrations", "its scheme is NationalBusinessID"),
        ({"tax_registrations": "FR 732829320 (SIREN)"}, "tax_registrations", "must be one of"),
        (
            {"country": "FR", "net_days": "61", "extended_terms_agreed": "on"},
            "net_days",
            "over the 60 that",
        ),
        ({"e_invoice_standard": "PEPPOL_BIS3", "peppol_participant_id": "1"}, "peppol_participant_id", "4 digits"),
    ],
)
def test_a_refusal_stands_at_its_field_without_the_machinery_of_the_rule(
    world: World, operator: Client, answers: dict[str, str], field: str, says: str
) -> None:
    with nothing_changes():
        page = submit(operator, page_of(world.eu, "revise"), why="as agreed", **answers)
    told = " ".join(errors(page)[field])
    assert says in told
    assert "(rule" not in told


def test_other_terms_are_asked_for_whole(world: World, operator: Client) -> None:
    answers = {"net_days": "90", "penalty_percent": "12", "penalty_grace_days": "3", "justification": "agreed"}
    submit(operator, page_of(world.us, "request-terms"), **answers)
    assert ApprovalRequest.objects.get().proposal["paymentTerms"] == {
        "netDays": 90,
        "invoiceFrequency": "Monthly",
        "invoiceDayOfMonth": 1,
        "latePaymentPenalty": {"annualRatePercent": "12", "graceDays": 3},
    }


def test_the_page_shows_the_next_invoices_and_what_rules_say(world: World, auditor: Client) -> None:
    office = Preferences("DE", "government", (TaxRegistration("DE", "DE136695976"),))
    terms = PaymentTerms(45, "Monthly", 1)
    account = make.a_ready_account(world.organization, currency_code="EUR", preferences=office, payment_terms=terms)
    schedule, rules = (f"{page_of(account)}?tab={tab}" for tab in ("schedule", "compliance"))
    assert len(panel(auditor.get(schedule), "Next invoices")) == 6
    (warning,) = [row for row in panel(auditor.get(rules), "Regional rules") if "terms.public.DE" in row]
    assert "Warning" in warning[0]
    assert warning[1] == "Net days"
    incomplete = page_of(make.an_incomplete_account(world.organization))
    assert panel(auditor.get(f"{incomplete}?tab=schedule"), "Next invoices") == []


def test_no_invoices_are_shown_of_an_account_that_gets_none(world: World, auditor: Client) -> None:
    child, group = (make.a_ready_account(world.organization, name) for name in ("child", "group"))
    an_affiliation(child, group)
    closed = make.in_phase(make.a_ready_account(world.organization), "Closed")
    for account, why in ((child, "group is invoiced for child."), (closed, "The account is Closed: no more invoices.")):
        page = auditor.get(f"{page_of(account)}?tab=schedule")
        assert panel(page, "Next invoices") == []
        assert why in page.content.decode()
    assert f'href="{page_of(group)}?tab=schedule"' in auditor.get(f"{page_of(child)}?tab=schedule").content.decode()
    assert len(panel(auditor.get(f"{page_of(group)}?tab=schedule"), "Next invoices")) == 6


def test_drift_is_shown_for_a_day_to_come_an_organization_and_a_page(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    settings.MILO_PLATFORM_COUNTRY = "DE"
    clock(date(2026, 12, 31))
    auditor = staff("auditor")
    for name in ("one", "two"):
        make.a_ready_account(world.organization, name, **GERMAN)
    assert panel(auditor.get(DRIFT), "Errors by the rules of 2026-12-31") == []
    to_come = f"{DRIFT}?as_of=2027-01-01"
    monkeypatch.setattr(drift, "FINDINGS_A_PAGE", 1)
    first = auditor.get(to_come)
    ((account, field, _message, rule, since, *_rest),) = panel(first, "Errors")
    assert "one" in account
    assert field == "E-invoicing - Standard"
    assert (rule, since) == ("einvoice.DE.EN16931.B2B_DOMESTIC.2027-01-01", "2027-01-01")
    ((account, *_cells),) = panel(auditor.get(DRIFT + first.context["panels"][0].more), "Errors")
    assert "two" in account
    assert panel(auditor.get(f"{to_come}&organization=nobody"), "Errors") == []


@pytest.mark.parametrize("query", ["as_of=tomorrow", "as_of=2027-01-01&after=-1", "as_of=2027-01-01&after=x"])
def test_a_question_that_is_none_is_no_report(world: World, auditor: Client, query: str) -> None:
    page = auditor.get(f"{DRIFT}?{query}")
    assert page.status_code == 200
    assert page.context["panels"] == []
    assert page.context["form"].errors
