"""Opening a billing account: recorded as Provisioning, validated in the same act, Ready or Incomplete at its end."""

from functools import partial
from typing import Any

import pytest

from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, open_account
from billing.terms.payment_terms import PaymentTerms
from milo import audit
from milo.access import Actor
from milo.errors import AlreadyExists, Forbidden, Invalid
from milo.kube.metadata import Metadata
from projects.models import Organization
from tests.support import make
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
CARD_NUMBER = "4111 1111 1111 1111"


def spec(**given: Any) -> AccountSpec:
    complete: dict[str, Any] = {
        "display_name": "Acme, United States",
        "currency_code": "USD",
        "payment_terms": make.TERMS,
        "payment_profile": make.CARD,
        "invoice_email_addresses": ["billing@acme-corp.example"],
    }
    return AccountSpec(**complete | given)


def opened(organization: Organization, name: str = "us", metadata: Metadata = Metadata(), **given: Any) -> Any:
    return open_account(organization.pk, name, spec(**given), metadata, actor=make.PLATFORM)


def test_a_complete_account_is_ready_at_once(organization: Organization) -> None:
    account = opened(organization)
    account.refresh_from_db()
    assert account.phase == BillingAccount.Phase.READY
    assert account.phase_reason == "BillingAccountActive"
    assert account.phase_message == "Billing account is active and ready for project linking"
    assert account.first_ready_at == account.phase_since
    assert account.generation == 1
    assert AccountSpec.of(account) == spec()


def test_history_shows_both_steps_and_who_took_them(organization: Organization) -> None:
    account = open_account(organization.pk, "us", spec(), actor=member(organization.pk, "billing-admin"))
    assert steps(account) == [("Provisioning", "BillingAccountOpened"), ("Ready", "BillingAccountReady")]
    assert authors(account) == {"user:member"}
    assert_history_explains(account)


def test_opening_is_one_revision_that_shows_its_end(organization: Organization) -> None:
    account = opened(organization)
    (revision,) = revisions(account)
    assert (revision.type, revision.reason, revision.actor) == ("ADDED", "BillingAccountReady", make.PLATFORM.name)
    assert (revision.namespace, revision.organization, revision.name) == ("acme-corp", "acme-corp", "us")
    assert_watchers_see(account)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"currency_code": ""}, ["spec.currencyCode"]),
        ({"payment_profile": None}, ["spec.paymentProfile"]),
        ({"payment_terms": PaymentTerms(None, "Monthly", 1)}, ["spec.paymentTerms.netDays"]),
        ({"payment_terms": PaymentTerms(0, None, 1)}, ["spec.paymentTerms.invoiceFrequency"]),
        ({"payment_terms": PaymentTerms(0, "Annual", None)}, ["spec.paymentTerms.invoiceDayOfMonth"]),
        (
            {"currency_code": "", "payment_profile": None, "payment_terms": PaymentTerms()},
            [
                "spec.currencyCode",
                "spec.paymentTerms.netDays",
                "spec.paymentTerms.invoiceFrequency",
                "spec.paymentTerms.invoiceDayOfMonth",
                "spec.paymentProfile",
            ],
        ),
    ],
)
def test_an_account_that_lacks_something_is_incomplete_and_says_all_that_it_lacks(
    organization: Organization, given: dict[str, Any], missing: list[str]
) -> None:
    account = opened(organization, **given)
    account.refresh_from_db()
    assert account.phase == BillingAccount.Phase.INCOMPLETE
    assert account.phase_reason == "BillingAccountIncomplete"
    assert account.phase_message == "; ".join(f"{field} is required" for field in missing)
    assert account.first_ready_at is None
    assert steps(account) == [
        ("Provisioning", "BillingAccountOpened"),
        ("Incomplete", f"BillingAccountIncomplete: {account.phase_message}"),
    ]


@pytest.mark.parametrize("code", ["USD", "EUR", "JPY", "KWD", "XAF", "XOF", "XPF", "XCD", "XCG", "ZWG"])
def test_a_currency_of_iso_4217_is_accepted(organization: Organization, code: str) -> None:
    assert opened(organization, currency_code=code).currency_code == code


@pytest.mark.parametrize("code", ["usd", "EU", "ABC", "XXX", "XTS", "XAU", "USN", "CHE", "UYW", "XAD", "DEM"])
def test_funds_metals_test_codes_and_nonsense_are_no_currency(organization: Organization, code: str) -> None:
    with refused(Invalid) as refusal:
        opened(organization, currency_code=code)
    assert causes_of(refusal) == {"spec.currencyCode": "FieldValueNotSupported"}


@pytest.mark.parametrize("frequency", ["Monthly", "Quarterly", "Annual"])
@pytest.mark.parametrize(("net_days", "day"), [(0, 1), (365, 28)])
def test_payment_terms_are_accepted_up_to_their_limits(
    organization: Organization, frequency: str, net_days: int, day: int
) -> None:
    terms = PaymentTerms(net_days, frequency, day, None if frequency == "Monthly" else 12)
    assert opened(organization, payment_terms=terms).payment_terms == terms


def test_payment_terms_beyond_their_limits_are_all_named(organization: Organization) -> None:
    for terms in (PaymentTerms(-1, "Weekly", 0), PaymentTerms(366, "monthly", 29)):
        with refused(Invalid) as refusal:
            opened(organization, payment_terms=terms)
        assert set(causes_of(refusal)) == {
            "spec.paymentTerms.netDays",
            "spec.paymentTerms.invoiceFrequency",
            "spec.paymentTerms.invoiceDayOfMonth",
        }


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        ({}, "spec.paymentProfile"),
        ({"creditCard": {"cardReference": "a"}, "bankTransfer": {}}, "spec.paymentProfile"),
        ({"barter": {"goods": "sheep"}}, "spec.paymentProfile"),
        ({"creditCard": "cc-12345"}, "spec.paymentProfile.creditCard"),
        ({"creditCard": {}}, "spec.paymentProfile.creditCard.cardReference"),
        ({"creditCard": {"cardReference": "  "}}, "spec.paymentProfile.creditCard.cardReference"),
        ({"creditCard": {"cardReference": 5}}, "spec.paymentProfile.creditCard.cardReference"),
        ({"creditCard": {"cardReference": "x" * 201}}, "spec.paymentProfile.creditCard.cardReference"),
        ({"creditCard": {"cardReference": "a", "cvc": "1"}}, "spec.paymentProfile.creditCard.cvc"),
    ],
)
def test_a_payment_profile_has_exactly_one_known_method(
    organization: Organization, profile: dict[str, Any], field: str
) -> None:
    with refused(Invalid) as refusal:
        opened(organization, payment_profile=profile)
    assert set(causes_of(refusal)) == {field}


@pytest.mark.parametrize(
    ("addresses", "causes"),
    [
        (["nobody"], {"spec.invoiceEmailAddresses[0]": "FieldValueInvalid"}),
        (["a@b.example", "a@b.example"], {"spec.invoiceEmailAddresses[1]": "FieldValueDuplicate"}),
        ([f"a{n}@b.example" for n in range(51)], {"spec.invoiceEmailAddresses": "FieldValueTooMany"}),
    ],
)
def test_contacts_are_at_most_fifty_different_addresses(
    organization: Organization, addresses: list[str], causes: dict[str, str]
) -> None:
    with refused(Invalid) as refusal:
        opened(organization, invoice_email_addresses=addresses)
    assert causes_of(refusal) == causes


def test_every_fault_is_named_at_once(organization: Organization) -> None:
    with refused(Invalid) as refusal:
        opened(
            organization,
            "Not A Name",
            Metadata(labels={"a b": "c"}),
            currency_code="XAU",
            payment_terms=PaymentTerms(net_days=400),
            payment_profile={},
            invoice_email_addresses=["nobody"],
        )
    assert set(causes_of(refusal)) == {
        "metadata.name",
        "metadata.labels",
        "spec.currencyCode",
        "spec.paymentTerms.netDays",
        "spec.paymentProfile",
        "spec.invoiceEmailAddresses[0]",
    }


@pytest.mark.parametrize("name", ["", "-us", "us-", "US", "u s", "u_s", "ü", "a" * 64, "us\n", "us.eu"])
def test_a_name_is_a_dns_label(organization: Organization, name: str) -> None:
    with refused(Invalid) as refusal:
        opened(organization, name)
    assert set(causes_of(refusal)) == {"metadata.name"}


def test_a_taken_name_is_refused_in_its_organization_only(organization: Organization) -> None:
    opened(organization, "us")
    with refused(AlreadyExists):
        opened(organization, "us")
    opened(make.an_organization("globex"), "us")
    assert BillingAccount.objects.filter(name="us").count() == 2


def test_an_organization_has_as_many_accounts_as_it_wants(organization: Organization) -> None:
    for name in ("us", "emea", "apac"):
        opened(organization, name)
    assert organization.billing_accounts.count() == 3


@pytest.mark.parametrize(
    ("given", "metadata", "field"),
    [
        ({"display_name": f"Card {CARD_NUMBER}"}, Metadata(), "spec.displayName"),
        (
            {"payment_profile": {"creditCard": {"cardReference": "4111-1111-1111-1111"}}},
            Metadata(),
            "spec.paymentProfile.creditCard.cardReference",
        ),
        ({"invoice_email_addresses": ["4111111111111111@b.example"]}, Metadata(), "spec.invoiceEmailAddresses[0]"),
        ({}, Metadata(labels={"card": "4111111111111111"}), "metadata.labels.card"),
        ({}, Metadata(labels={"4111111111111111": "card"}), "metadata.labels"),
        ({}, Metadata(annotations={"note": CARD_NUMBER}), "metadata.annotations.note"),
    ],
)
def test_a_card_number_is_refused_wherever_text_is_accepted_and_not_repeated(
    organization: Organization, given: dict[str, Any], metadata: Metadata, field: str
) -> None:
    with refused(Invalid) as refusal:
        opened(organization, "us", metadata, **given)
    assert set(causes_of(refusal)) == {field}
    assert "1111" not in str(refusal.value)


def test_a_card_number_is_refused_as_a_name(organization: Organization) -> None:
    with refused(Invalid) as refusal:
        opened(organization, "4111-1111-1111-1111")
    assert set(causes_of(refusal)) == {"metadata.name"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a\0b", "FieldValueInvalid"), ("\ud800", "FieldValueInvalid"), ("x" * 201, "FieldValueTooLong")],
)
def test_text_that_not_every_database_keeps_is_refused(organization: Organization, text: str, reason: str) -> None:
    with refused(Invalid) as refusal:
        opened(organization, display_name=text)
    assert causes_of(refusal) == {"spec.displayName": reason}
    if len(text) < 200:
        with refused(Invalid) as refusal:
            opened(organization, "us", Metadata(annotations={"note": text}))
        assert causes_of(refusal) == {"metadata.annotations.note": reason}


@pytest.mark.parametrize(
    "actor", [lambda o: member(o.pk, "billing-admin"), lambda o: staff("finance-operator"), lambda o: make.PLATFORM]
)
def test_billing_admins_and_finance_operators_open_accounts(organization: Organization, actor: Any) -> None:
    account = open_account(organization.pk, "us", spec(), actor=actor(organization))
    assert account.phase == BillingAccount.Phase.READY


@pytest.mark.parametrize(
    "actor",
    [
        lambda o: member(o.pk, "billing-user", "billing-viewer"),
        lambda o: nobody_in(o.pk),
        lambda o: staff("auditor", "finance-approver", "usage-reporter", "charge-reporter", "billing-admin"),
        lambda o: Actor("user:guest"),
    ],
    ids=["user and viewer", "of another organization", "other staff", "no role"],
)
def test_nobody_else_opens_accounts(organization: Organization, actor: Any) -> None:
    with refused(Forbidden):
        open_account(organization.pk, "us", spec(), actor=actor(organization))


def test_a_dry_run_answers_as_the_act_would_and_leaves_nothing(organization: Organization) -> None:
    with nothing_changes(), audit.dry_run():
        account = opened(organization)
    assert account.phase == BillingAccount.Phase.READY
    assert opened(organization).phase == BillingAccount.Phase.READY


@pytest.mark.django_db(transaction=True)
def test_of_two_accounts_opened_under_one_name_at_once_one_is_refused() -> None:
    organization = make.an_organization()
    for number in range(10):
        name = f"us-{number}"
        outcomes = at_once([partial(opened, organization, name)] * 4)
        assert tally(outcomes) == {"BillingAccount": 1, "AlreadyExists": 3}
        assert BillingAccount.objects.filter(name=name).count() == 1
        assert [step for step, _reason in steps(BillingAccount.objects.get(name=name))] == ["Provisioning", "Ready"]
