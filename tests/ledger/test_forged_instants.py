"""Instants that were forged, in history and in seals, by whoever may write there: they are refused, or found."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from billing.models import BillingAccount
from milo import audit
from milo.kube.models import Change, Counter
from milo.ledger import seals
from milo.ledger.models import Seal
from milo.ledger.verification import verify
from tests.attacks.machinery import SQLITE, execute
from tests.support import make, tamper
from tests.support.database import as_owner
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.django_db
PAST = BillingAccount.history.model
LONG = timedelta(days=400)


@pytest.fixture
def sealed_account(account: BillingAccount) -> BillingAccount:
    seals.seal()
    return account


def faults() -> list[tuple[str, str]]:
    return [(fault.table, fault.message) for fault in verify().faults]


def recorded(account: BillingAccount, at: Any) -> None:
    """Have the database copy the row as of any instant, as whoever speaks SQL can."""
    row = PAST.objects.filter(id=account.pk).latest("pk")
    row.pk, row.history_date = None, at
    if connection.vendor == SQLITE:
        PAST.objects.bulk_create([row])
        return
    records = audit.histories()[BillingAccount]
    values = [getattr(row, column.name) for column in records.added]
    with connection.cursor() as cursor:
        cursor.execute(records._statement, [*values, account.pk])


def test_history_of_an_instant_that_no_reader_knows_is_refused(sealed_account: BillingAccount) -> None:
    instant = "infinity" if connection.vendor != SQLITE else timezone.now().replace(year=9999)
    with nothing_changes(), pytest.raises(IntegrityError, match="goes_forward"), transaction.atomic():
        recorded(sealed_account, instant)


def test_history_that_is_dated_after_its_seal_is_found(sealed_account: BillingAccount) -> None:
    with as_owner():
        for by in (timedelta(hours=12), LONG):
            if connection.vendor != SQLITE:  # where the guard alone stops it
                with nothing_changes(), pytest.raises(IntegrityError, match="not_ahead"), transaction.atomic():
                    recorded(sealed_account, timezone.now() + by)
    with tamper.guards_off():
        recorded(sealed_account, timezone.now() + timedelta(hours=12))
    seals.seal()
    assert faults() == []
    with tamper.guards_off():
        recorded(sealed_account, timezone.now() + LONG)
    seals.seal()
    assert faults() == [(PAST._meta.db_table, "is dated after its seal")]


def test_what_the_owner_puts_into_the_past_before_a_copy_of_the_present_is_found(
    sealed_account: BillingAccount,
) -> None:
    newest = PAST.objects.filter(id=sealed_account.pk).latest("pk")
    with tamper.guards_off():
        for days, at in ((90, newest.history_date - LONG), (newest.net_days, timezone.now())):
            newest.pk, newest.net_days, newest.history_date = None, days, at
            PAST.objects.bulk_create([newest])
    seals.seal()
    assert faults() == [(sealed_account._meta.db_table, "has history that is dated before the history before it")]


def test_a_seal_without_the_signature_of_the_key_is_found_behind_others_that_have_it(
    sealed_account: BillingAccount,
) -> None:
    make.a_ready_account(sealed_account.organization)
    seals.seal()
    with tamper.guards_off():
        Seal.objects.filter(number=1).update(signature="AAAA")
    assert faults() == [("ledger_seal", "the signature is not the key's")]


def test_seals_go_forward_where_the_clock_is_set_back(
    sealed_account: BillingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.a_ready_account(sealed_account.organization)
    now = timezone.now()
    with monkeypatch.context() as patched:
        patched.setattr(timezone, "now", lambda: now - timedelta(hours=1))
        assert seals.seal()
    first, second = Seal.objects.order_by("number")
    assert second.at == first.at + timedelta(microseconds=1)
    assert faults() == []


def test_a_seal_that_is_dated_long_ago_lets_no_revision_go(sealed_account: BillingAccount, settings: Any) -> None:
    """Whoever may write seals would open revisions to deletion, and have them count as gone by their retention."""
    make.a_ready_account(sealed_account.organization)
    forged = Seal.objects.get()
    forged.number, forged.previous, forged.at = 2, forged.digest, timezone.now() - LONG
    forged.digest = "0" * 64
    with nothing_changes(), pytest.raises(IntegrityError, match="seal_follows"), transaction.atomic():
        Seal.objects.bulk_create([forged])
    old = Change.objects.earliest("pk")
    with tamper.guards_off():
        Seal.objects.update(at=timezone.now() - LONG)
        execute(f"DELETE FROM kube_change WHERE resource_version = {old.pk}")
    assert faults()
    assert Counter.objects.get().compacted == 0
