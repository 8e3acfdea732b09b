from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, revise
from milo import append_only
from milo.celery import app
from milo.kube.metadata import Metadata
from milo.kube.models import Change
from milo.kube.store import changes
from milo.kube.tasks import compact_change_log
from milo.ledger import seals
from milo.ledger.models import Seal
from tests.support import make
from tests.support.database import as_owner

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def relabel(account: BillingAccount, step: int) -> int:
    revise(account.pk, AccountSpec.of(account), Metadata(labels={"step": str(step)}), actor=make.PLATFORM)
    return changes.current_version()


def age(up_to: int, by: timedelta, *, sealed: bool = True) -> None:
    """Make the revisions up to a number, and all seals, `by` old."""
    if sealed:
        seals.seal()
    with as_owner():
        fixed = {"change_fixed", "seal_fixed"}
        append_only.lift(connection, [guard for guard in append_only.all_guards() if guard.name in fixed])
        Change.objects.filter(resource_version__lte=up_to).update(at=timezone.now() - by)
        Seal.objects.update(at=timezone.now() - by)


def versions(account: BillingAccount) -> list[int]:
    kept = Change.objects.filter(uid=account.uid).order_by("resource_version")
    return list(kept.values_list("resource_version", flat=True))


def test_only_what_was_superseded_before_the_retention_is_deleted() -> None:
    organization = make.an_organization("acme-corp")
    idle = make.a_ready_account(organization, "idle")
    busy = make.a_ready_account(organization, "busy")
    steps = [relabel(busy, step) for step in range(5)]
    age(steps[2], 2 * DAY)
    all_of_idle = versions(idle)

    deleted = changes.compact(DAY)

    # the second step is deleted; the third is kept as the previous state of the fourth
    assert versions(busy) == steps[2:]
    assert deleted == 3
    assert versions(idle) == all_of_idle
    assert changes.oldest_version() == steps[2]


def test_a_number_of_small_batches_deletes_the_same() -> None:
    account = make.a_ready_account(make.an_organization())
    newest = [relabel(account, step) for step in range(7)][-1]
    age(newest, 2 * DAY)
    assert changes.compact(DAY, batch=2) == 7
    assert versions(account) == [newest]


def test_compacting_again_or_with_nothing_old_changes_nothing() -> None:
    assert changes.compact(DAY) == 0
    account = make.a_ready_account(make.an_organization())
    relabel(account, 1)
    before = versions(account)
    assert changes.compact(DAY) == 0
    assert changes.oldest_version() == 0
    assert versions(account) == before
    age(changes.current_version(), 2 * DAY)
    changes.compact(DAY)
    once = versions(account), changes.oldest_version()
    assert changes.compact(DAY) == 0
    assert (versions(account), changes.oldest_version()) == once


def test_nothing_goes_that_no_seal_has() -> None:
    account = make.a_ready_account(make.an_organization())
    sealed = relabel(account, 1)
    seals.seal()
    relabel(account, 2)
    newest = relabel(account, 3)
    age(newest, 2 * DAY, sealed=False)

    changes.compact(DAY)

    assert versions(account) == [sealed, sealed + 1, newest]
    assert changes.oldest_version() == sealed


def test_the_watermark_never_goes_back() -> None:
    account = make.a_ready_account(make.an_organization())
    newest = relabel(account, 1)
    age(newest, 2 * DAY)
    changes.compact(DAY)
    changes.compact(365 * DAY)
    assert changes.oldest_version() == newest


def test_the_scheduled_task_keeps_what_the_retention_asks_for() -> None:
    scheduled = [entry["task"] for entry in app.conf.beat_schedule.values()]
    assert compact_change_log.name in scheduled
    account = make.a_ready_account(make.an_organization())
    first = relabel(account, 1)
    second = relabel(account, 2)
    age(second, settings.MILO_CHANGE_LOG_RETENTION - timedelta(hours=1))
    assert compact_change_log() == 0
    age(second, settings.MILO_CHANGE_LOG_RETENTION + timedelta(hours=1))
    assert compact_change_log() >= 1
    assert first not in versions(account)
    assert versions(account) == [second]
