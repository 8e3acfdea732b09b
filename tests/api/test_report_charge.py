"""Charges over HTTP: every amount that the API admits is kept, and shown in the currency's minor units."""

from decimal import Decimal
from typing import Any

import pytest

from billing.models import Charge
from projects.models import Organization
from tests.api.client import ACCOUNTS, BILLING, Api, nothing_changes
from tests.api.test_lifecycle import a_charge
from tests.support import make

CHARGES = f"{BILLING}/namespaces/acme-corp/charges"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


@pytest.fixture
def reporter(db: None) -> Api:
    return Api.of(make.a_person("reporter", groups=("charge-reporter",)))


AMOUNTS = [
    ("USD", "12345678901234.56"),
    ("USD", "99999999999999.99"),
    ("USD", "99999999999999999999.99"),
    ("USD", "0.01"),
    ("JPY", "99999999999999999999"),
    ("BHD", "99999999999999999999.999"),
]


@pytest.mark.parametrize(("currency", "amount"), AMOUNTS)
def test_the_same_report_again_is_idempotent_whatever_its_digits(
    reporter: Api, organization: Organization, currency: str, amount: str
) -> None:
    make.a_ready_account(organization, "us", currency_code=currency)
    charge = a_charge(amount=amount, currencyCode=currency)
    first = reporter.post(CHARGES, charge).done(201)
    assert first["spec"]["amount"] == amount
    with nothing_changes():
        again = reporter.post(CHARGES, charge).done(201)
    assert again["metadata"]["uid"] == first["metadata"]["uid"]
    assert reporter.get(f"{CHARGES}/{first['metadata']['name']}").done()["spec"]["amount"] == amount
    assert Charge.objects.get().history.get().amount == Decimal(amount)


@pytest.mark.parametrize(("currency", "shown"), [("JPY", "100"), ("EUR", "100.00"), ("BHD", "100.000")])
def test_amounts_are_shown_in_minor_units(
    reporter: Api, admin: Api, organization: Organization, currency: str, shown: str
) -> None:
    make.a_ready_account(organization, "us", currency_code=currency)
    reporter.post(CHARGES, a_charge(amount="100", currencyCode=currency)).done(201)
    (row,) = reporter.get(CHARGES, accept=TABLE).done()["rows"]
    assert {shown, currency} <= set(row["cells"])
    (blocker,) = admin.get(f"{ACCOUNTS}/us/closurechecklist").done()["blockers"]
    assert blocker["message"] == f"{shown} {currency} are outstanding, due 2026-12-31"
    reason: Any = Charge.objects.get().history.get()
    assert reason.history_summary == f"ChargeReported: {shown} {currency}"
