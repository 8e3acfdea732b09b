"""Revising a billing account: its spec replaced, validated again until Ready, its currency fixed from then on."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from pytest_django import Settings

from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, revise
from billing.terms.payment_terms import PaymentTerms
from milo.access import Actor
from milo.errors import Conflict, Forbidden, Invalid, Unavailable
from milo.kube.metadata import Metadata
from milo.kube.store.changes import version_of
from tests.support import make, verifiers
from tests.support.ledger import (
    assert_history_explains,
    assert_watchers_see,
    authors,
    causes_of,
    member,
    nobody_in,
    nothing_changes,
    refused,
    revisions,
    staff,
    steps,
    tally,
)
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db
OTHER_CARD = {"creditCard": {"cardReference": "cc-67890"}}


@pytest.fixture
def ready() -> BillingAccount:
    return make.a_ready_account(make.an_organization())


@pytest.fixture
def incomplete() -> BillingAccount:
    return make.an_incomplete_account(make.an_organization())


def revised(account: BillingAccount, metadata: Metadata | None = None, **given: Any) -> BillingAccount:
    return revise(account.pk, replace(AccountSpec.of(account), **given), metadata, actor=make.PLATFORM)


def now(account: BillingAccount) -> BillingAccount:
    return BillingAccount.objects.get(pk=account.pk)


def test_completing_an_incomplete_account_makes_it_ready(incomplete: BillingAccount) -> None:
    revised(incomplete, payment_terms=make.TERMS, payment_profile=make.CARD)
    account = now(incomplete)
    assert account.phase == BillingAccount.Phase.READY
    assert account.first_ready_at == account.phase_since
    assert [step for step, _reason in steps(account)] == ["Provisioning", "Incomplete", "Incomplete", "Ready"]
    assert_history_explains(account)
    assert_watchers_see(account)


def test_an_account_that_still_lacks_something_says_what_is_left(incomplete: BillingAccount) -> None:
    since = incomplete.phase_since
    revised(incomplete, payment_terms=make.TERMS)
    account = now(incomplete)
    assert account.phase == BillingAccount.Phase.INCOMPLETE
    assert account.phase_message == "spec.paymentProfile is required"
    assert account.phase_since == since
    assert_history_explains(account)


def test_the_currency_is_free_until_the_account_has_been_ready(incomplete: BillingAccount) -> None:
    assert revised(incomplete, currency_code="EUR").currency_code == "EUR"
    assert revised(now(incomplete), currency_code="").currency_code == ""
    complete: dict[str, Any] = {"currency_code": "CHF", "payment_terms": make.TERMS, "payment_profile": make.CARD}
    assert revised(now(incomplete), **complete).phase == BillingAccount.Phase.READY
    with refused(Invalid) as refusal:
        revised(now(incomplete), currency_code="EUR")
    assert causes_of(refusal) == {"spec.currencyCode": "FieldValueInvalid"}


@pytest.mark.parametrize("phase", ["Ready", "Suspended", "Closed"])
@pytest.mark.parametrize("code", ["EUR", ""])
def test_the_currency_is_fixed_in_every_phase_after_ready(ready: BillingAccount, phase: str, code: str) -> None:
    make.in_phase(ready, phase)
    with refused(Invalid) as refusal:
        revised(ready, currency_code=code)
    assert "spec.currencyCode" in causes_of(refusal)


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"payment_profile": None}, "spec.paymentProfile", "FieldValueRequired"),
        ({"payment_profile": {}}, "spec.paymentProfile", "FieldValueRequired"),
        ({"payment_terms": PaymentTerms(None, "Monthly", 1)}, "spec.paymentTerms.netDays", "FieldValueRequired"),
        ({"payment_terms": PaymentTerms(366, "Monthly", 1)}, "spec.paymentTerms.netDays", "FieldValueInvalid"),
        ({"payment_terms": PaymentTerms(30, None, 1)}, "spec.paymentTerms.invoiceFrequency", "FieldValueRequired"),
        (
            {"payment_terms": PaymentTerms(30, "Daily", 1)},
            "spec.paymentTerms.invoiceFrequency",
            "FieldValueNotSupported",
        ),
        ({"invoice_email_addresses": ["nobody"]}, "spec.invoiceEmailAddresses[0]", "FieldValueInvalid"),
        ({"display_name": "4111 1111 1111 1111"}, "spec.displayName", "FieldValueInvalid"),
        ({"display_name": "x" * 201}, "spec.displayName", "FieldValueTooLong"),
    ],
)
def test_a_ready_account_stays_complete_and_sound(
    ready: BillingAccount, given: dict[str, Any], field: str, reason: str
) -> None:
    with refused(Invalid) as refusal:
        revised(ready, **given)
    assert causes_of(refusal)[field] == reason


def test_a_ready_account_takes_new_terms_contacts_and_names(ready: BillingAccount) -> None:
    wanted = AccountSpec(
        "Acme, Europe", "USD", PaymentTerms(60, "Quarterly", 28, 2), OTHER_CARD, ["a@acme-corp.example"]
    )
    revise(ready.pk, wanted, actor=make.PLATFORM)
    account = now(ready)
    assert AccountSpec.of(account) == wanted
    assert (account.phase, account.generation) == (BillingAccount.Phase.READY, 2)
    assert steps(account)[-1] == ("Ready", "BillingAccountRevised")
    assert_history_explains(account)
    assert_watchers_see(account)


def test_what_changes_nothing_writes_nothing(ready: BillingAccount, incomplete: BillingAccount) -> None:
    labelled = revised(ready, Metadata({"tier": "gold"}))
    with nothing_changes():
        revised(ready)
        revised(ready, Metadata({"tier": "gold"}))
        revised(incomplete)
    assert labelled.generation == 1


def test_labels_alone_make_a_revision_but_no_new_generation(ready: BillingAccount) -> None:
    revised(ready, Metadata({"tier": "gold"}, {"example.com/note": "text"}))
    account = now(ready)
    assert (account.generation, account.labels) == (1, {"tier": "gold"})
    assert len(revisions(account)) == 2
    assert_watchers_see(account)


def test_the_metadata_stays_where_none_is_given(ready: BillingAccount) -> None:
    revised(ready, Metadata({"tier": "gold"}))
    revised(now(ready), display_name="Renamed")
    assert now(ready).labels == {"tier": "gold"}


def test_a_stale_version_is_refused_and_the_present_one_is_not(ready: BillingAccount) -> None:
    read = version_of(ready)
    first, second = (replace(AccountSpec.of(ready), display_name=name) for name in ("First", "Second"))
    revise(ready.pk, first, actor=make.PLATFORM, resource_version=read)
    with refused(Conflict):
        revise(ready.pk, second, actor=make.PLATFORM, resource_version=read)
    revise(ready.pk, second, actor=make.PLATFORM, resource_version=version_of(ready))
    assert now(ready).display_name == "Second"


def test_a_version_read_before_a_project_was_bound_is_stale(ready: BillingAccount) -> None:
    read = version_of(ready)
    make.a_binding(make.a_project(ready.organization), ready)
    with refused(Conflict):
        revise(ready.pk, AccountSpec(), actor=make.PLATFORM, resource_version=read)


@pytest.mark.parametrize("phase", ["Closed", "Archived"])
def test_a_closed_account_is_read_only(ready: BillingAccount, phase: str) -> None:
    make.in_phase(ready, phase)
    with refused(Invalid, "is closed and cannot be changed"):
        revised(ready, display_name="Renamed")
    with refused(Invalid, "is closed and cannot be changed"):
        revised(ready, Metadata({"tier": "gold"}))
    with nothing_changes():
        revised(ready)


def test_a_suspended_account_can_be_set_right_and_stays_suspended(ready: BillingAccount) -> None:
    make.in_phase(ready, "Suspended")
    revised(ready, payment_profile=OTHER_CARD)
    account = now(ready)
    assert (account.phase, account.payment_profile) == (BillingAccount.Phase.SUSPENDED, OTHER_CARD)


def test_a_new_profile_of_a_ready_account_waits_for_its_verifier(ready: BillingAccount, settings: Settings) -> None:
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.AWAY
    with refused(Unavailable, "does not answer"):
        revised(ready, payment_profile=OTHER_CARD)
    assert revised(ready, display_name="Renamed").phase == BillingAccount.Phase.READY


def test_a_new_profile_that_its_verifier_declines_is_refused(ready: BillingAccount, settings: Settings) -> None:
    settings.MILO_PAYMENT_PROFILE_VERIFIER = verifiers.MOODY
    with refused(Invalid) as refusal:
        revised(ready, payment_profile={"creditCard": {"cardReference": "cc-declined"}})
    assert causes_of(refusal) == {"spec.paymentProfile.creditCard": "FieldValueInvalid"}


@pytest.mark.parametrize("actor", [lambda pk: member(pk, "billing-admin"), lambda pk: staff("finance-operator")])
def test_billing_admins_and_finance_operators_revise_accounts(ready: BillingAccount, actor: Any) -> None:
    who: Actor = actor(ready.organization_id)
    revise(ready.pk, replace(AccountSpec.of(ready), display_name="Renamed"), actor=who)
    assert authors(ready) == {make.PLATFORM.name, who.name}


@pytest.mark.parametrize(
    "actor",
    [
        lambda pk: member(pk, "billing-user", "billing-viewer"),
        nobody_in,
        lambda pk: staff("auditor", "finance-approver", "usage-reporter", "charge-reporter"),
    ],
    ids=["user and viewer", "of another organization", "other staff"],
)
def test_nobody_else_revises_accounts(ready: BillingAccount, actor: Any) -> None:
    with refused(Forbidden):
        revise(ready.pk, AccountSpec(), actor=actor(ready.organization_id))


@pytest.mark.django_db(transaction=True)
def test_no_revision_is_lost_when_many_are_made_at_once() -> None:
    account = make.a_ready_account(make.an_organization())
    for turn in range(5):
        outcomes = at_once([partial(revised, account, display_name=f"{turn}-{n}") for n in range(6)])
        assert tally(outcomes) == {"BillingAccount": 6}
    assert now(account).generation == 31
    assert_history_explains(account)
    assert_watchers_see(account)


@pytest.mark.django_db(transaction=True)
def test_of_many_revisions_of_one_version_at_once_one_is_made() -> None:
    account = make.a_ready_account(make.an_organization())
    for turn in range(5):
        read = version_of(account)
        specs = [replace(AccountSpec.of(account), display_name=f"{turn}-{n}") for n in range(6)]
        outcomes = at_once(
            [partial(revise, account.pk, spec, actor=make.PLATFORM, resource_version=read) for spec in specs]
        )
        assert tally(outcomes) == {"BillingAccount": 1, "Conflict": 5}
