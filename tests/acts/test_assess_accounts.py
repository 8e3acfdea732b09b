"""The sweep over accounts: what today's rules say of them, and payment profiles that will expire."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.models import BillingAccount, Notice
from billing.notice_texts import render
from billing.services.accounts import AccountSpec, revise, validate
from billing.services.compliance.assessments import assess_all
from billing.tasks import assess_accounts
from milo.celery import app
from milo.errors import Invalid
from milo.kube.models import Change
from projects.models import Organization
from tests.support import make
from tests.support.clock import clock
from tests.support.ledger import (
    assert_history_explains,
    assert_watchers_see,
    authors,
    causes_of,
    nothing_changes,
    refused,
    shown,
)

pytestmark = pytest.mark.django_db
__all__ = ["clock"]
Clock = Callable[[date], None]
CARD = {"creditCard": {"cardReference": "cc-12345", "expMonth": 12, "expYear": 2026}}
NEXT_CARD = {"creditCard": {"cardReference": "cc-67890", "expMonth": 12, "expYear": 2030}}
GERMAN = Preferences("DE", tax_registrations=(TaxRegistration("DE", "DE136695976"),))


@pytest.fixture
def expiring_account(organization: Organization, clock: Clock) -> BillingAccount:
    """An account that pays by `CARD`, of an organization with two billing admins."""
    for name in ("first", "second"):
        make.a_person(name, email=f"{name}@acme-corp.example", roles={organization: "billing-admin"})
    clock(date(2026, 11, 1))
    return make.a_ready_account(organization, "us", payment_profile=CARD)


def expiring(account: BillingAccount) -> dict[str, Any] | None:
    conditions = {it["type"]: it for it in shown(account)["status"]["conditions"]}
    return conditions.get("PaymentProfileExpiring")


def news(account: BillingAccount) -> tuple[str, str]:
    """Reason and message of the newest event of an account."""
    newest = Change.objects.filter(uid=account.uid).latest("resource_version")
    return newest.reason, newest.message


def now(account: BillingAccount) -> BillingAccount:
    return BillingAccount.objects.get(pk=account.pk)


def test_a_profile_that_expires_within_30_days_is_a_condition_and_a_notice_to_each_billing_admin(
    expiring_account: BillingAccount, clock: Clock
) -> None:
    clock(date(2026, 11, 30))
    with nothing_changes():
        assert assess_all() == 0
    clock(date(2026, 12, 1))
    assert assess_accounts() == 1
    found = expiring(expiring_account)
    assert found
    assert (found["status"], found["reason"]) == ("True", "PaymentProfileExpiring")
    assert found["message"] == "spec.paymentProfile.creditCard can be used up to and including 2026-12-31"
    assert now(expiring_account).phase == "Ready"
    notices = Notice.objects.filter(about="ProfileExpiring")
    assert {notice.recipient for notice in notices} == {"first@acme-corp.example", "second@acme-corp.example"}
    text = render("ProfileExpiring", notices[0].context, account=expiring_account)
    assert "us (creditCard) can be used up to and including 2026-12-31" in text.plain
    assert "cc-12345" not in text.plain + text.html
    assert "system:assessor" in authors(expiring_account)
    assert news(expiring_account) == (
        "PaymentProfileExpiring",
        "the payment profile can be used up to and including 2026-12-31",
    )
    assert_history_explains(now(expiring_account))
    assert_watchers_see(expiring_account)
    with nothing_changes():
        assert assess_all() == 0


def test_a_profile_is_announced_once_and_its_successor_again(expiring_account: BillingAccount, clock: Clock) -> None:
    clock(date(2026, 12, 1))
    assess_all()
    revise(
        expiring_account.pk,
        replace(AccountSpec.of(now(expiring_account)), payment_profile=NEXT_CARD),
        actor=make.PLATFORM,
    )
    assert expiring(expiring_account) is None
    revise(
        expiring_account.pk, replace(AccountSpec.of(now(expiring_account)), payment_profile=CARD), actor=make.PLATFORM
    )
    assess_all()
    assert Notice.objects.filter(about="ProfileExpiring").count() == 2
    clock(date(2030, 12, 1))
    # a card that expires soon is announced as soon as it is given
    revise(
        expiring_account.pk,
        replace(AccountSpec.of(now(expiring_account)), payment_profile=NEXT_CARD),
        actor=make.PLATFORM,
    )
    assert Notice.objects.filter(about="ProfileExpiring").count() == 4
    assess_all()
    assert Notice.objects.filter(about="ProfileExpiring").count() == 4


def test_an_expired_card_is_no_valid_profile_and_says_so(expiring_account: BillingAccount, clock: Clock) -> None:
    clock(date(2027, 1, 1))
    assert assess_all() == 1
    found = expiring(expiring_account)
    assert found
    assert found["reason"] == "PaymentProfileExpired"
    assert news(expiring_account)[0] == "PaymentProfileExpired"
    with refused(Invalid) as refusal:
        make.a_ready_account(expiring_account.organization, payment_profile=CARD)
    assert causes_of(refusal) == {"spec.paymentProfile.creditCard": "FieldValueInvalid"}
    renamed = replace(AccountSpec.of(now(expiring_account)), display_name="Renamed")
    assert revise(expiring_account.pk, renamed, actor=make.PLATFORM).phase == "Ready"


def test_an_account_that_waits_too_long_is_not_activated_with_an_expired_card(
    organization: Organization, clock: Clock
) -> None:
    clock(date(2026, 12, 31))
    account = make.a_ready_account(organization, payment_profile=CARD, currency_code="")
    clock(date(2027, 1, 1))
    given = replace(AccountSpec.of(account), currency_code="USD")
    assert revise(account.pk, given, actor=make.PLATFORM).phase == "Incomplete"
    assert "has expired on 2026-12-31" in validate(account.pk, actor=make.PLATFORM).phase_message


def test_a_rule_that_takes_effect_is_noted_and_closed_accounts_are_left_alone(
    organization: Organization, clock: Clock, settings: Any
) -> None:
    settings.MILO_PLATFORM_COUNTRY = "DE"
    clock(date(2026, 12, 31))
    german: dict[str, Any] = {"currency_code": "EUR", "preferences": GERMAN}
    account, closed = (make.a_ready_account(organization, **german) for _ in range(2))
    make.an_approved(closed, "Close")
    clock(date(2027, 1, 1))
    assert assess_all() == 1
    account = now(account)
    assert (account.phase, account.compliance_reason) == ("Ready", "ComplianceErrors")
    assert account.compliance_message.startswith("spec.preferences.eInvoicing.standard: ")
    assert "rule einvoice.DE.EN16931.B2B_DOMESTIC.2027-01-01, in force from 2027-01-01" in account.compliance_message
    assert now(closed).compliance_reason != "ComplianceErrors"
    assert news(account) == ("ComplianceErrors", account.compliance_message)
    assert_history_explains(account)
    assert_watchers_see(account)


def test_beat_sends_the_sweep() -> None:
    assert assess_accounts.name in {entry["task"] for entry in app.conf.beat_schedule.values()}
