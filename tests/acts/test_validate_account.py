"""Validating a billing account, also when the verifier of payment profiles is away: a sweep takes it up again."""

from functools import partial
from typing import Any

import pytest
from pytest_django import Settings

from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, revise, validate
from billing.tasks import validate_waiting_accounts
from milo.celery import app
from milo.errors import Forbidden, Invalid
from projects.models import Organization
from tests.support import make, verifiers
from tests.support.ledger import (
    assert_history_explains,
    assert_watchers_see,
    authors,
    member,
    nobody_in,
    nothing_changes,
    refused,
    staff,
    steps,
    tally,
)
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(organization: Organization, settings: Settings) -> BillingAccount:
    """An account that was opened while the verifier was away, and is still."""
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.AWAY
    return make.a_ready_account(organization)


def now(account: BillingAccount) -> BillingAccount:
    return BillingAccount.objects.get(pk=account.pk)


def card(reference: str) -> dict[str, Any]:
    return {"creditCard": {"cardReference": reference}}


def test_an_account_whose_verifier_is_away_stays_provisioning_and_says_why(waiting: BillingAccount) -> None:
    account = now(waiting)
    assert account.phase == BillingAccount.Phase.PROVISIONING
    assert account.phase_reason == "VerifierUnavailable"
    assert account.phase_message == "the card network does not answer"
    assert account.first_ready_at is None
    assert steps(account) == [
        ("Provisioning", "BillingAccountOpened"),
        ("Provisioning", "ValidationPostponed: the card network does not answer"),
    ]
    assert_history_explains(account)
    assert_watchers_see(account)


def test_the_sweep_changes_nothing_while_the_verifier_is_still_away(waiting: BillingAccount) -> None:
    with nothing_changes():
        assert validate_waiting_accounts() == 1


def test_the_sweep_makes_the_account_ready_once_the_verifier_is_back(
    waiting: BillingAccount, settings: Settings
) -> None:
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.FORM
    assert validate_waiting_accounts() == 1
    account = now(waiting)
    assert account.phase == BillingAccount.Phase.READY
    assert steps(account)[-1] == ("Ready", "BillingAccountReady")
    assert authors(account) == {make.PLATFORM.name, "system:validation-sweep"}
    assert_history_explains(account)
    assert_watchers_see(account)
    with nothing_changes():
        assert validate_waiting_accounts() == 0


def test_what_the_verifier_finds_keeps_the_account_incomplete(waiting: BillingAccount, settings: Settings) -> None:
    revise(waiting.pk, AccountSpec("", "USD", make.TERMS, card("cc-declined")), actor=make.PLATFORM)
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.MOODY
    assert validate_waiting_accounts() == 1
    account = now(waiting)
    assert account.phase == BillingAccount.Phase.INCOMPLETE
    assert account.phase_message == "spec.paymentProfile.creditCard was declined"
    with nothing_changes():
        assert validate_waiting_accounts() == 0


def test_an_incomplete_account_revised_while_the_verifier_is_away_is_taken_up_as_well(
    organization: Organization, settings: Settings
) -> None:
    account = make.an_incomplete_account(organization)
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.AWAY
    revise(account.pk, AccountSpec("", "USD", make.TERMS, make.CARD), actor=make.PLATFORM)
    assert (now(account).phase, now(account).phase_reason) == ("Incomplete", "VerifierUnavailable")
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.FORM
    assert validate_waiting_accounts() == 1
    assert now(account).phase == BillingAccount.Phase.READY


def test_an_account_that_fails_keeps_no_other_waiting(organization: Organization, settings: Settings) -> None:
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.AWAY
    broken = make.a_ready_account(organization, payment_profile=card("cc-broken"))
    declined = make.a_ready_account(organization, payment_profile=card("cc-declined"))
    sound = make.a_ready_account(organization)
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.MOODY
    assert validate_waiting_accounts() == 3
    assert [now(account).phase for account in (broken, declined, sound)] == ["Provisioning", "Incomplete", "Ready"]
    assert steps(broken)[2:] == [("Provisioning", "ValidationPostponed: the verifier of payment profiles failed")]


def test_the_sweep_asks_for_no_account_that_does_not_wait(organization: Organization, settings: Settings) -> None:
    ready = make.a_ready_account(organization)
    make.an_incomplete_account(organization)
    make.in_phase(make.a_ready_account(organization), "Suspended")
    verifiers.Moody.asked.clear()
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.MOODY
    with nothing_changes():
        assert validate_waiting_accounts() == 0
    assert verifiers.Moody.asked == []
    assert now(ready).phase == BillingAccount.Phase.READY


def test_beat_sends_the_sweep_every_minute() -> None:
    (entry,) = [e for e in app.conf.beat_schedule.values() if e["task"] == validate_waiting_accounts.name]
    assert entry["schedule"] == 60.0
    app.loader.import_default_modules()
    assert entry["task"] in app.tasks


def test_an_incomplete_account_validated_again_without_a_change_writes_nothing(organization: Organization) -> None:
    account = make.an_incomplete_account(organization)
    with nothing_changes():
        assert validate(account.pk, actor=make.PLATFORM).phase == BillingAccount.Phase.INCOMPLETE


@pytest.mark.parametrize("phase", ["Ready", "Suspended", "Closed", "Archived"])
def test_an_account_that_has_been_ready_is_not_validated_again(organization: Organization, phase: str) -> None:
    account = make.a_ready_account(organization)
    make.in_phase(account, phase)
    with refused(Invalid, f"a {phase} account is not validated again"):
        validate(account.pk, actor=make.PLATFORM)


def test_only_who_may_revise_an_account_validates_it(waiting: BillingAccount, settings: Settings) -> None:
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.FORM
    pk = waiting.organization_id
    for actor in (member(pk, "billing-user", "billing-viewer"), nobody_in(pk), staff("auditor", "finance-approver")):
        with refused(Forbidden):
            validate(waiting.pk, actor=actor)
    assert validate(waiting.pk, actor=member(pk, "billing-admin")).phase == BillingAccount.Phase.READY


@pytest.mark.django_db(transaction=True)
def test_sweeps_at_once_make_an_account_ready_once(settings: Settings) -> None:
    organization = make.an_organization()
    for _turn in range(5):
        settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.AWAY
        account = make.a_ready_account(organization)
        settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.FORM
        outcomes = at_once([partial(validate, account.pk, actor=make.PLATFORM)] * 6)
        assert tally(outcomes) == {"BillingAccount": 1, "Invalid": 5}
        assert [step for step, _reason in steps(account)] == ["Provisioning", "Provisioning", "Ready"]
