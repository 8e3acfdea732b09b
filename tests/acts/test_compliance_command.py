"""`manage.py compliance check`: which existing accounts fail, since which change of the rules, for schedulers."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries

from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.services.compliance import drift
from tests.support import make
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.django_db
GERMAN: dict[str, Any] = {
    "currency_code": "EUR",
    "preferences": Preferences("DE", tax_registrations=(TaxRegistration("DE", "DE136695976"),)),
}


@pytest.fixture(autouse=True)
def accounts(settings: Any) -> None:
    """A platform of Germany; in `acme-corp` one German account, one of no country and one that is closed."""
    settings.MILO_PLATFORM_COUNTRY = "DE"
    organization = make.an_organization("acme-corp")
    make.a_ready_account(organization, "eu", **GERMAN)
    make.a_ready_account(organization, "us")
    make.an_approved(make.a_ready_account(organization, "old", **GERMAN), "Close")
    make.an_organization("other-corp")


def check(*arguments: str) -> tuple[int, list[str], str]:
    """The exit status, the lines printed, and what is said besides."""
    printed, said = StringIO(), StringIO()
    status = 0
    try:
        with nothing_changes():
            call_command("compliance", "check", *arguments, stdout=printed, stderr=said)
    except SystemExit as ended:
        status = int(str(ended.code))
    return status, printed.getvalue().splitlines(), said.getvalue()


def test_nothing_fails_by_the_rules_of_before() -> None:
    assert check("--as-of", "2026-12-31") == (0, [], "0 accounts break 0 rules in force on 2026-12-31\n")


def test_a_rule_to_come_names_the_account_the_day_and_the_rule() -> None:
    status, (line,), said = check("--as-of", "2027-01-01")
    assert status == 1
    assert line.startswith("acme-corp/eu  since 2027-01-01  spec.preferences.eInvoicing.standard Germany requires")
    assert "rule einvoice.DE.EN16931.B2B_DOMESTIC.2027-01-01" in line
    assert "1 accounts break 1 rules" in said


def test_csv_has_a_column_for_each_part_of_the_answer() -> None:
    status, lines, _said = check("--as-of", "2028-06-01", "--csv")
    first, second = csv.DictReader(lines)
    assert status == 1
    assert (first["organization"], first["account"], first["since"]) == ("acme-corp", "eu", "2027-01-01")
    assert second["since"] == "2028-01-01"
    assert all(first[name] for name in ("rule", "field", "message", "confidence", "source"))


def test_one_organization_alone_is_checked() -> None:
    assert check("--as-of", "2027-01-01", "--organization", "other-corp")[0] == 0
    assert check("--as-of", "2027-01-01", "--organization", "acme-corp")[0] == 1


@pytest.mark.parametrize("arguments", [["--as-of", "tomorrow"], ["--organization", "nobody"], ["--nothing"]])
def test_wrong_use_is_told_from_drift(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("compliance", "check", *arguments)
    assert caught.value.returncode != 1 or "--" in str(caught.value)


def test_accounts_are_read_a_batch_at_a_time(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(drift, "BATCH", 1)
    with django_assert_num_queries(3):
        assert len(list(drift.in_batches(drift.checked_accounts()))) == 2
