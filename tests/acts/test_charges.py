"""Charges as an outside billing system reports them, and their settlement."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing.models import BillingAccount, Charge
from billing.services.charges import ChargeSpec, report_charge, settle_charge
from milo.access import Actor
from milo.errors import AlreadyExists, Conflict, Forbidden, Invalid
from milo.kube.metadata import Metadata
from projects.models import Organization
from tests.support import make
from tests.support.ledger import SUMMARY, causes_of, member, nothing_changes, refused, staff

REPORTER = staff("charge-reporter")
INVOICE = ChargeSpec("invoice 17/2026", Decimal("10.50"), "USD", date(2026, 12, 31), "December")
pytestmark = pytest.mark.django_db


def report(account: BillingAccount, spec: ChargeSpec = INVOICE, actor: Actor = REPORTER) -> Charge:
    return report_charge(account.organization_id, account.name, spec, actor=actor)


def test_a_repeated_report_changes_nothing(account: BillingAccount) -> None:
    first = report(account)
    with nothing_changes():
        assert report(account).pk == first.pk


def test_a_repeated_report_is_refused_for_what_the_first_would_have_been(account: BillingAccount) -> None:
    report(account)
    with refused(Invalid) as refusal:
        report_charge(account.organization_id, "us", INVOICE, metadata=Metadata({"tier": "!"}), actor=REPORTER)
    assert set(causes_of(refusal)) == {"metadata.labels"}


def test_a_report_with_other_content_is_a_conflict(account: BillingAccount) -> None:
    report(account)
    with refused(Conflict, "was reported with other content"):
        report(account, replace(INVOICE, amount=Decimal("11")))


def test_the_name_of_another_charge_is_taken(account: BillingAccount) -> None:
    report_charge(account.organization_id, "us", INVOICE, name="invoice", actor=REPORTER)
    with refused(AlreadyExists, "charge invoice already exists"):
        other = replace(INVOICE, external_id="another")
        report_charge(account.organization_id, "us", other, name="invoice", actor=REPORTER)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"currency_code": "EUR"}, "spec.currencyCode"),
        ({"amount": Decimal("10.505")}, "spec.amount"),
        ({"amount": Decimal("0")}, "spec.amount"),
        ({"amount": Decimal("-1")}, "spec.amount"),
        ({"external_id": " "}, "spec.externalId"),
    ],
)
def test_a_charge_that_cannot_be_is_refused(account: BillingAccount, change: dict[str, object], field: str) -> None:
    with refused(Invalid) as refusal:
        report(account, replace(INVOICE, **change))  # type: ignore[arg-type]
    assert set(causes_of(refusal)) == {field}


def test_yen_have_no_decimal_places(organization: Organization) -> None:
    account = make.a_ready_account(organization, currency_code="JPY")
    with refused(Invalid, "may have 0 decimal places in JPY"):
        report(account, replace(INVOICE, currency_code="JPY", amount=Decimal("10.5")))
    assert report(account, replace(INVOICE, currency_code="JPY", amount=Decimal("12345"))).amount == 12345


def test_a_closed_account_takes_no_charge(account: BillingAccount) -> None:
    closed = make.in_phase(account, "Closed")
    with refused(Invalid, "the account is closed"):
        report(closed)


def test_a_charge_is_settled_once(account: BillingAccount) -> None:
    charge = report(account)
    settle_charge(charge.pk, reference="wire 5", actor=REPORTER)
    with nothing_changes():
        settle_charge(charge.pk, reference="wire 5", actor=REPORTER)
    with refused(Conflict, "is settled already, by wire 5"):
        settle_charge(charge.pk, reference="wire 6", actor=REPORTER)
    other = report(account, replace(INVOICE, external_id="18"))
    with refused(Invalid):
        settle_charge(other.pk, reference="", actor=REPORTER)
    assert not Charge.objects.unsettled().filter(pk=charge.pk).exists()


def test_only_the_charge_reporter_reports_and_settles(account: BillingAccount) -> None:
    charge = report(account)
    for actor in (staff("finance-operator", "auditor"), member(account.organization_id, "billing-admin")):
        with refused(Forbidden):
            report(account, replace(INVOICE, external_id="18"), actor)
        with refused(Forbidden):
            settle_charge(charge.pk, reference="wire 5", actor=actor)
    assert list(charge.history.values_list(SUMMARY, flat=True)) == ["ChargeReported: 10.50 USD"]
