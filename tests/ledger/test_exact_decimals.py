"""Decimals keep every digit on both engines, and compare by value."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import DataError, IntegrityError, connection, models, transaction
from django.db.models import Max, Min
from hypothesis import given
from hypothesis import strategies as st

from billing.models import BillingAccount, Charge
from billing.models.quantity import ExactSum, QuantityField
from billing.services.charges import report_charge
from billing.terms.payment_terms import EarlyPaymentDiscount, LatePaymentPenalty, PaymentTerms
from milo.decimals import ExactDecimalField, compare
from projects.models import Organization
from tests.acts.test_charges import INVOICE, REPORTER
from tests.support import make, tamper

COLUMNS = [
    column
    for model in apps.get_models()
    for column in model._meta.concrete_fields
    if isinstance(column, models.DecimalField)
]
pytestmark = pytest.mark.django_db


@pytest.fixture
def discounted_account(organization: Organization) -> BillingAccount:
    """An account with terms for early and for late payment."""
    terms = PaymentTerms(30, "Monthly", 1)
    terms = replace(terms, early_payment_discount=EarlyPaymentDiscount(Decimal(2), 10))
    terms = replace(terms, late_payment_penalty=LatePaymentPenalty(Decimal(8), 0))
    return make.a_ready_account(organization, "us", payment_terms=terms)


def test_no_column_of_any_model_is_of_the_decimals_that_sqlite_rounds() -> None:
    assert {column.name for column in COLUMNS} >= {"amount", "discount_percent", "penalty_percent"}
    assert [column for column in COLUMNS if not isinstance(column, ExactDecimalField)] == []
    floats = [field for model in apps.get_models() for field in model._meta.fields if type(field) is models.FloatField]
    assert floats == []


def extremes(column: Any) -> list[Decimal]:
    """The largest, smallest and most precise values of a column."""
    least = Decimal(1).scaleb(-column.decimal_places)
    most = Decimal(10) ** (column.max_digits - column.decimal_places) - least
    return [least, most, most - least, Decimal("99.9999"), Decimal("9.01"), Decimal("10"), Decimal("9.5")]


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_every_column_keeps_its_extremes_and_orders_them_by_value(
    discounted_account: BillingAccount, column: "models.Field[Any, Any]"
) -> None:
    # history rows are written beside their live rows
    charge = report_charge(discounted_account.organization_id, "us", INVOICE, actor=REPORTER)
    rows = column.model._base_manager.order_by("pk")
    key = (
        rows.filter(**{"external_id": charge.external_id} if "Charge" in column.model.__name__ else {}).latest("pk").pk
    )
    row, kept = rows.filter(pk=key), 0
    with tamper.guards_off():
        for value in extremes(column):
            others = [other for other in extremes(column) if other != value]
            try:
                with transaction.atomic():
                    row.update(**{column.name: value})
            except IntegrityError:
                continue  # its constraints admit less than its digits
            kept += 1
            assert row.values_list(column.name, flat=True).get() == value
            assert row.filter(**{column.name: value}).exists()
            assert row.filter(**{f"{column.name}__in": [value]}).exists()
            assert not row.filter(**{f"{column.name}__in": others}).exists()
            for other in others:
                assert row.filter(**{f"{column.name}__gt": other}).exists() == (value > other)
                assert row.filter(**{f"{column.name}__lte": other}).exists() == (value <= other)
    assert kept >= 4


def test_sums_extremes_and_the_order_of_charges_are_exact(discounted_account: BillingAccount) -> None:
    amounts = [Decimal(text) for text in ("99999999999999999999.99", "12345678901234.56", "9.50", "10", "0.01")]
    Charge.objects.bulk_create([a_charge(discounted_account, amount) for amount in amounts])
    found = Charge.objects.order_by("amount").values_list("amount", flat=True)
    assert list(found) == sorted(amounts)
    total = Charge.objects.aggregate(total=ExactSum("amount"), least=Min("amount"), most=Max("amount"))
    assert total == {"total": Decimal("100000012345678901254.06"), "least": min(amounts), "most": max(amounts)}


def a_charge(account: BillingAccount, amount: Decimal) -> Charge:
    return Charge(
        organization_id=account.organization_id,
        account=account,
        name=make.a_name("charge"),
        external_id=str(amount),
        amount=amount,
        currency_code="USD",
        due_date=INVOICE.due_date,
    )


def test_the_database_itself_refuses_what_is_not_more_than_zero_or_too_long(discounted_account: BillingAccount) -> None:
    for amount, error in [("0", IntegrityError), ("-0.01", IntegrityError), ("100000000000000000000", DataError)]:
        with pytest.raises(error), transaction.atomic():
            Charge.objects.bulk_create([a_charge(discounted_account, Decimal(amount))])
    assert not Charge.objects.exists()


def test_more_places_than_the_column_has_are_rounded_alike_on_both_engines(discounted_account: BillingAccount) -> None:
    Charge.objects.bulk_create([a_charge(discounted_account, Decimal("0.00005"))])
    assert Charge.objects.get().amount == Decimal("0.0001")
    assert Charge.objects.filter(amount__gt=Decimal("0.00005")).exists()


def test_quantities_of_usage_are_no_numbers_of_sqlite() -> None:
    quantities = [
        field for model in apps.get_models() for field in model._meta.fields if isinstance(field, QuantityField)
    ]
    types = {field.db_type(connection) for field in quantities}
    assert types == {"text" if connection.vendor == "sqlite" else "numeric"}


@given(st.decimals(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
def test_the_collation_is_the_order_of_numbers(one: Decimal, other: Decimal) -> None:
    assert compare(str(one), str(other)) == (one > other) - (one < other)


def test_the_collation_orders_what_is_no_number_too() -> None:
    assert [compare("1", "x"), compare("x", "1"), compare("x", "x")] == [-1, 1, 0]


STORED = {"12345678901234.56": "12345678901234.5605", "99999999999999.99": "99999999999999.9844", "10.5": "10.5000"}


@pytest.mark.once  # in a database of its own, of SQLite
def test_what_sqlite_has_rounded_before_stays_as_it_is_sealed(tmp_path: Path) -> None:
    """The digest of a row had the number of the column with four places, and has the text now."""
    file = tmp_path / "milo.sqlite3"
    environment = {
        "DATABASE_URL": f"sqlite:///{file}",
        "MILO_DATA_DIR": str(tmp_path),
        "MILO_SECRET_KEY": "the tests sign outside of development too, so it is long",
    }

    def migrate(*target: str) -> None:
        command = [sys.executable, "manage.py", "migrate", "-v0", *target]
        subprocess.run(command, cwd=settings.BASE_DIR, env=environment, check=True)

    migrate("billing", "0010_bound_usage_partitions")
    known: dict[str, Any] = {"labels": "{}", "annotations": "{}", "managed_fields": "[]", "generation": 1}
    known |= {"settled_at": None, "history_approval": None, "history_date": "2026-01-01", "history_type": "+"}
    with closing(sqlite3.connect(file)) as database, database:
        # constraints of the account hold for it, of which the discount is the one that compares the column
        database.execute("PRAGMA ignore_check_constraints = ON")
        # guards of now stand on the table of then, and the column of this one comes later
        database.execute("DROP TRIGGER account_paid_by_of_record")
        for table, of in (
            ("projects_organization", {}),
            ("billing_billingaccount", {"discount_percent": "2.5", "penalty_percent": None}),
        ):
            kinds = {row[1]: row[2] for row in database.execute(f"PRAGMA table_info({table})")}
            filled: dict[str, Any] = {
                name: 1 if "int" in kind else "{}" if kind == "text" else "" for name, kind in kinds.items()
            }
            filled |= {"id": 1, "organization_id": 1} | of if "organization_id" in kinds else {"id": 1}
            marks = ", ".join("?" * len(filled))
            database.execute(f"INSERT INTO {table} ({', '.join(filled)}) VALUES ({marks})", [*filled.values()])
        database.execute("PRAGMA ignore_check_constraints = OFF")
        names = [row[1] for row in database.execute("PRAGMA table_info(billing_historicalcharge)")]
        for number, amount in enumerate(STORED):
            columns = dict.fromkeys(names, "") | known | {"history_id": number, "id": number, "amount": amount}
            marks = ", ".join("?" * len(columns))
            database.execute(f"INSERT INTO billing_historicalcharge VALUES ({marks})", [*columns.values()])
    migrate("billing", "0011")
    with closing(sqlite3.connect(file)) as database:
        kept = database.execute("SELECT amount, typeof(amount) FROM billing_historicalcharge ORDER BY history_id")
        assert kept.fetchall() == [(text, "text") for text in STORED.values()]
        (discount,) = database.execute("SELECT discount_percent FROM billing_billingaccount").fetchone()
        assert discount == "2.5000"
