"""The rules of regions where an account is configured: errors refuse or keep it Incomplete, warnings are told."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.compliance.dataset import data
from billing.compliance.einvoicing import EInvoicing
from billing.compliance.jurisdictions import Group
from billing.compliance.mandates import Kind, Scope, Status
from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, open_account, revise, validate
from billing.services.approvals.requests import request_approval
from billing.terms.payment_terms import LatePaymentPenalty, PaymentTerms
from milo.errors import Invalid
from projects.models import Organization
from tests.support import make
from tests.support.clock import clock
from tests.support.ledger import assert_history_explains, assert_watchers_see, causes_of, refused, shown
from tests.support.make import APPROVER, REQUESTER, approve

pytestmark = [pytest.mark.django_db, pytest.mark.once]
__all__ = ["clock"]
GERMAN = Preferences(country="DE", tax_registrations=(TaxRegistration("DE", "DE136695976"),), invoice_language="de-DE")
XRECHNUNG = replace(GERMAN, e_invoicing=EInvoicing("XRECHNUNG"))
EURO: dict[str, Any] = {"currency_code": "EUR"}
DEFAULT_NUMBERS = {country: data().tax_numbers[country][0] for country in data().jurisdictions}
# each mandate that binds, by docs/compliance.md, "Domestic mandates"
BINDING = [
    mandate
    for country, mandates in data().mandates.items()
    for mandate in mandates
    if mandate.status is Status.LAW
    and mandate.scope in (Scope.B2B_DOMESTIC, Scope.ALL_DOMESTIC)
    and mandate.kind in (Kind.EXCHANGE, Kind.CLEARANCE)
    and country in data().jurisdictions
]


def opened(organization: Organization, preferences: Preferences, **spec: Any) -> BillingAccount:
    return make.a_ready_account(organization, preferences=preferences, **EURO | spec)


def now(account: BillingAccount) -> BillingAccount:
    return BillingAccount.objects.get(pk=account.pk)


def conditions(account: BillingAccount) -> dict[str, dict[str, Any]]:
    return {it["type"]: it for it in shown(account)["status"]["conditions"]}


def test_full_preferences_are_kept_as_their_authorities_write_them(organization: Organization) -> None:
    loose = replace(
        GERMAN, tax_registrations=(TaxRegistration("DE", "de 136 695 976"), TaxRegistration("FR", "FR 40 303 265 045"))
    )
    account = now(opened(organization, loose))
    assert account.preferences.tax_registrations == (
        TaxRegistration("DE", "DE136695976"),
        TaxRegistration("FR", "FR40303265045"),
    )
    assert account.phase == "Ready"
    assert shown(account)["status"]["taxRegistrations"] == [
        {
            "country": "DE",
            "scheme": "VAT",
            "name": "USt-IdNr",
            "number": "DE136695976",
            "form": "FormatValid",
        },
        {
            "country": "FR",
            "scheme": "VAT",
            "name": "TVA (SIREN inside)",
            "number": "FR40303265045",
            "form": "FormatValid",
        },
    ]
    assert conditions(account)["Compliant"]["status"] == "True"
    assert_history_explains(account)
    assert_watchers_see(account)


def test_all_errors_are_refused_at_once_each_with_the_rule_that_decided(organization: Organization) -> None:
    french = Preferences(country="FR", tax_registrations=(TaxRegistration("FR", "FR40303265046"),), customer_kind="x")
    with refused(Invalid) as refusal:
        opened(organization, french, payment_terms=PaymentTerms(61, "Monthly", 1), currency_code="USD")
    assert causes_of(refusal) == {"spec.preferences.customerKind": "FieldValueNotSupported"} | dict.fromkeys(
        ["spec.preferences.taxRegistrations[0].number"], "FieldValueInvalid"
    )
    french = replace(french, customer_kind="business")
    with refused(Invalid) as refusal:
        opened(
            organization,
            french,
            payment_terms=PaymentTerms(61, "Monthly", 1),
            payment_profile={"achDebit": {"accountToken": "ba-1", "authorizationDate": "2026-01-01"}},
        )
    found = {cause.field: cause.message for cause in refusal.value.causes}
    assert {
        "spec.preferences.taxRegistrations[0].number",
        "spec.paymentTerms.netDays",
        "spec.paymentProfile.achDebit",
    } <= set(found)
    assert "rule terms.cap.FR" in found["spec.paymentTerms.netDays"]
    assert "confidence" in found["spec.paymentTerms.netDays"]
    assert "source" in found["spec.paymentTerms.netDays"]


def test_what_a_rule_misses_keeps_the_account_incomplete_and_is_listed(organization: Organization) -> None:
    account = opened(organization, Preferences(country="PL"))
    assert account.phase == "Incomplete"
    assert account.phase_message.startswith("spec.preferences.taxRegistrations invoices to businesses in Poland need")
    assert "rule tax.required.PL" in account.phase_message
    assert conditions(account)["Compliant"]["reason"] == "ComplianceErrors"
    polish = Preferences("PL", tax_registrations=(TaxRegistration("PL", "PL8567346215"),))
    assert (
        revise(account.pk, replace(AccountSpec.of(account), preferences=polish), actor=make.PLATFORM).phase == "Ready"
    )
    assert conditions(account)["Compliant"]["status"] == "True"


def test_warnings_refuse_nothing_and_are_a_condition(organization: Organization) -> None:
    account = opened(
        organization, replace(GERMAN, customer_kind="government"), payment_terms=PaymentTerms(45, "Monthly", 1)
    )
    assert account.phase == "Ready"
    compliant = conditions(account)["Compliant"]
    assert (compliant["status"], compliant["reason"]) == ("True", "ComplianceWarnings")
    assert "rule terms.public.DE" in compliant["message"]


def test_an_account_of_no_country_has_no_such_condition(organization: Organization) -> None:
    assert set(conditions(make.a_ready_account(organization))) == {"Ready"}


def test_more_net_days_than_the_law_supposes_need_an_express_agreement(
    organization: Organization, settings: Any
) -> None:
    settings.MILO_NET_DAYS_WITHOUT_APPROVAL = 365
    with refused(Invalid) as refusal:
        opened(organization, GERMAN, payment_terms=PaymentTerms(61, "Monthly", 1))
    assert causes_of(refusal) == {"spec.paymentTerms.netDays": "FieldValueInvalid"}
    agreed = PaymentTerms(61, "Monthly", 1, extended_terms_agreed=True)
    assert opened(organization, GERMAN, payment_terms=agreed).phase == "Ready"


@pytest.mark.parametrize("mandate", BINDING, ids=lambda mandate: mandate.rule)
def test_a_mandate_binds_from_its_day_and_not_the_day_before(
    organization: Organization, mandate: Any, clock: Any, settings: Any
) -> None:
    settings.MILO_PLATFORM_COUNTRY = mandate.country
    row = data().jurisdictions[mandate.country][-1]
    sample = DEFAULT_NUMBERS[mandate.country].valid_sample
    preferences = Preferences(mandate.country, tax_registrations=(TaxRegistration(mandate.country, sample),))
    firm = mandate.sourced and row.firm(Group.EINVOICE)

    def says(day: date) -> bool:
        clock(day)
        account = opened(organization, preferences, currency_code=row.currency)
        return f"rule {mandate.rule}," in (account.phase_message if firm else account.compliance_message)

    assert not says(date.fromordinal(mandate.effective_from.toordinal() - 1))
    assert says(mandate.effective_from)


def test_a_change_of_the_rules_breaks_no_account_and_no_revision_of_anything_else(
    organization: Organization, clock: Any, settings: Any
) -> None:
    settings.MILO_PLATFORM_COUNTRY = "DE"
    clock(date(2026, 12, 31))
    account = opened(organization, GERMAN)
    clock(date(2027, 1, 1))
    spec = AccountSpec.of(account)
    renamed = revise(account.pk, replace(spec, display_name="Renamed"), actor=make.PLATFORM)
    assert renamed.phase == "Ready"
    assert conditions(account)["Compliant"]["status"] == "False"
    with refused(Invalid):
        revise(account.pk, replace(spec, payment_terms=PaymentTerms(61, "Monthly", 1)), actor=make.PLATFORM)
    mended = revise(account.pk, replace(spec, preferences=XRECHNUNG), actor=make.PLATFORM)
    assert mended.compliance_reason in ("NoFindings", "ComplianceWarnings")
    with refused(Invalid) as refusal:
        revise(account.pk, replace(AccountSpec.of(mended), preferences=GERMAN), actor=make.PLATFORM)
    assert causes_of(refusal)["spec.preferences.eInvoicing.standard"] == "FieldValueRequired"


def test_an_account_that_waits_is_validated_by_the_rules_of_its_day(
    organization: Organization, clock: Any, settings: Any
) -> None:
    settings.MILO_PLATFORM_COUNTRY = "DE"
    clock(date(2026, 12, 31))
    account = opened(organization, GERMAN, payment_profile=None)
    clock(date(2027, 1, 1))
    with_card = replace(AccountSpec.of(account), payment_profile=make.CARD)
    revise(account.pk, with_card, actor=make.PLATFORM)
    assert now(account).phase == "Incomplete"
    assert "e-invoices" in now(account).phase_message
    assert validate(account.pk, actor=make.PLATFORM).phase == "Incomplete"


@pytest.mark.parametrize("row", [rows[-1] for rows in data().jurisdictions.values()], ids=lambda row: row.country)
def test_the_sample_of_each_country_is_taken_and_a_wrong_number_is_not(organization: Organization, row: Any) -> None:
    kind = DEFAULT_NUMBERS[row.country]

    def given(number: str) -> BillingAccount:
        registrations = (TaxRegistration(row.country, number),)
        return opened(
            organization, Preferences(row.country, tax_registrations=registrations), currency_code=row.currency
        )

    account = given(kind.valid_sample)
    assert account.phase == "Ready", account.phase_message
    assert shown(account)["status"]["taxRegistrations"][0]["form"] == "FormatValid"
    if kind.firm:
        with refused(Invalid) as refusal:
            given(kind.invalid_sample)
        assert causes_of(refusal) == {"spec.preferences.taxRegistrations[0].number": "FieldValueInvalid"}
    else:
        assert f"tax.format.{row.country}" in given(kind.invalid_sample).compliance_message


def test_terms_that_break_a_rule_are_not_even_asked_for(organization: Organization) -> None:
    account = opened(organization, Preferences("FR", tax_registrations=(TaxRegistration("FR", "FR40303265045"),)))
    terms = {"netDays": 61, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}
    with refused(Invalid) as refusal:
        ask(account, terms)
    assert causes_of(refusal) == {"spec.proposal.paymentTerms.netDays": "FieldValueInvalid"}


def ask(account: BillingAccount, terms: dict[str, Any]) -> Any:
    return request_approval(
        account.organization_id,
        account.name,
        "ReviseTerms",
        justification="agreed",
        proposal={"paymentTerms": terms},
        actor=REQUESTER,
    )


@pytest.mark.parametrize(
    "penalty",
    [None, LatePaymentPenalty(Decimal(8), 5), LatePaymentPenalty(Decimal(9), 6)],
    ids=["none", "a lower rate", "more grace"],
)
def test_a_late_payment_penalty_is_waived_by_approval_only(organization: Organization, penalty: Any) -> None:
    nine = replace(make.TERMS, late_payment_penalty=LatePaymentPenalty(Decimal(9), 5))
    account = make.a_ready_account(organization, payment_terms=nine)
    terms = replace(nine, late_payment_penalty=penalty)
    with refused(Invalid) as refusal:
        revise(account.pk, replace(AccountSpec.of(account), payment_terms=terms), actor=make.PLATFORM)
    assert causes_of(refusal) == {"spec.paymentTerms.latePaymentPenalty": "FieldValueInvalid"}
    approve(ask(account, terms.as_json()).pk, actor=APPROVER)
    assert now(account).payment_terms == terms
    higher = replace(terms, late_payment_penalty=LatePaymentPenalty(Decimal(12), 0))
    assert revise(account.pk, replace(AccountSpec.of(now(account)), payment_terms=higher), actor=make.PLATFORM)


def test_activation_fixes_the_months_of_invoices(organization: Organization, clock: Any) -> None:
    clock(date(2026, 4, 10))
    quarterly = PaymentTerms(30, "Quarterly", 15)
    account = open_account(organization.pk, "us", AccountSpec("", "USD", quarterly, make.CARD), actor=make.PLATFORM)
    assert now(account).payment_terms.anchor_month == 4
    clock(date(2026, 9, 1))
    again = replace(AccountSpec.of(account), payment_terms=quarterly, display_name="Renamed")
    revise(account.pk, again, actor=make.PLATFORM)
    assert now(account).payment_terms.anchor_month == 4
