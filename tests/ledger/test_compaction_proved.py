"""Compaction and `ledger verify`: what goes was sealed for the retention, and stays explained."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, revise
from milo.kube.metadata import Metadata
from milo.kube.models import Change, Counter
from milo.kube.store import changes
from milo.kube.tasks import compact_change_log
from milo.ledger import seals
from milo.ledger.verification import verify
from tests.support import make, tamper

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
Later = Callable[[timedelta], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Call it with a span: the clock stands that much after the beginning of the test from then on."""
    begun = timezone.now()

    def set_clock(span: timedelta) -> None:
        now: datetime = begun + span
        monkeypatch.setattr(timezone, "now", lambda: now)

    return set_clock


@pytest.fixture
def revised_account(account: BillingAccount) -> BillingAccount:
    """An account with four revisions that no seal has yet."""
    for step in range(3):
        revise(account.pk, AccountSpec.of(account), Metadata(labels={"step": str(step)}), actor=make.PLATFORM)
    return account


def faults() -> list[tuple[str, int | None]]:
    return [(fault.table, fault.row) for fault in verify().faults]


def kept(account: BillingAccount) -> int:
    return Change.objects.filter(uid=account.uid).count()


def test_what_was_sealed_late_stays_until_its_seal_is_old_and_nobody_calls_it_tampering(
    revised_account: BillingAccount, later: Later
) -> None:
    retention: timedelta = settings.MILO_CHANGE_LOG_RETENTION
    later(2 * HOUR)
    seals.seal()
    before = kept(revised_account)
    later(retention + HOUR)
    assert compact_change_log() == 0
    assert (kept(revised_account), changes.oldest_version()) == (before, 0)
    assert faults() == []
    later(retention + 3 * HOUR)
    assert compact_change_log() > 0
    assert kept(revised_account) == 1
    assert faults() == []


def test_raising_the_retention_accuses_nothing_that_went_by_the_earlier_one(
    revised_account: BillingAccount, later: Later, settings: Any
) -> None:
    seals.seal()
    settings.MILO_CHANGE_LOG_RETENTION = HOUR
    later(2 * HOUR)
    assert compact_change_log() > 0
    settings.MILO_CHANGE_LOG_RETENTION = 1000 * HOUR
    assert faults() == []
    assert compact_change_log() == 0
    assert faults() == []


def test_lowering_the_retention_excuses_nothing_that_no_compaction_took(
    revised_account: BillingAccount, later: Later, settings: Any
) -> None:
    seals.seal()
    old = Change.objects.filter(uid=revised_account.uid).earliest("pk")
    with tamper.guards_off():
        tamper.remove(old)
    settings.MILO_CHANGE_LOG_RETENTION = HOUR
    later(2 * HOUR)
    assert faults() == [("kube_change", old.pk)]


def test_what_was_sealed_within_the_hour_is_missed_whatever_the_watermark_says(
    revised_account: BillingAccount, later: Later
) -> None:
    seals.seal()
    Counter.objects.update(compacted=changes.current_version())
    old = Change.objects.filter(uid=revised_account.uid).earliest("pk")
    with tamper.guards_off():
        tamper.remove(old)
    assert faults() == [("kube_change", old.pk)]


def test_the_revision_at_the_watermark_never_counts_as_compacted(revised_account: BillingAccount, later: Later) -> None:
    seals.seal()
    later(settings.MILO_CHANGE_LOG_RETENTION + HOUR)
    compact_change_log()
    newest = Change.objects.latest("pk")
    with tamper.guards_off():
        tamper.remove(newest)
    assert ("kube_change", newest.pk) in faults()
