"""Each lock of the acts after Ready, shown to be needed: without it one of two acts works on what the other changed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from billing.models import BillingAccount, Charge, Notice, Suspension
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.decisions import reject
from billing.services.charges import ChargeSpec, report_charge, settle_charge
from billing.services.holds import set_hold
from billing.services.notices.deliveries import announce_due, deliver_due, requeue
from billing.services.retention.archival import archive
from billing.services.retention.purges import purge
from billing.services.suspensions import resolve, suspend
from milo.errors import Conflict, Invalid, NotFound
from milo.identity.models import ServiceToken
from milo.identity.tokens import revoke_token
from projects.models import Project
from projects.services.projects import ProjectSpec, revise_project
from tests.support import make
from tests.support.interleaving import side_by_side, then
from tests.support.ledger import assert_watchers_see, tally
from tests.support.make import approve

pytestmark = pytest.mark.django_db(transaction=True)
SPEC = ChargeSpec("invoice-17", Decimal("10.00"), "USD", date(2026, 1, 1))
EVIDENCE = {"reviewer": "somebody", "note": "all is well"}


@pytest.fixture
def bound_project(project: Project, invoiced_account: BillingAccount) -> Project:
    """A project for which the invoiced account pays."""
    make.a_binding(project, invoiced_account)
    return project


def suspension_of(account: BillingAccount) -> Callable[[], BillingAccount]:
    return partial(suspend, account.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)


def charge_on(account: BillingAccount) -> Callable[[], Charge]:
    return partial(report_charge, account.organization_id, account.name, SPEC, actor=make.PLATFORM)


def hold_on(account: BillingAccount) -> Callable[[], object]:
    return partial(set_hold, account.pk, type="LegalHold", reason="a court asks", actor=make.PLATFORM)


def test_of_two_requests_for_one_act_the_second_is_refused(account: BillingAccount) -> None:
    second = then(partial(make.a_request, account), partial(make.a_request, account))
    assert isinstance(second, Invalid)
    assert "is pending already" in second.causes[0].message


@pytest.mark.parametrize("blocker", [charge_on, hold_on])
def test_a_closure_waits_for_what_stands_in_its_way(account: BillingAccount, blocker: Any) -> None:
    request = make.a_request(account, "Close")
    assert isinstance(then(blocker(account), partial(approve, request.pk, actor=make.APPROVER)), Invalid)
    assert BillingAccount.objects.get(pk=account.pk).phase == BillingAccount.Phase.READY


def test_a_charge_waits_for_the_closure_and_is_refused(account: BillingAccount) -> None:
    request = make.a_request(account, "Close")
    assert isinstance(then(partial(approve, request.pk, actor=make.APPROVER), charge_on(account)), Invalid)
    assert not Charge.objects.exists()


def test_a_charge_that_is_reported_twice_at_once_is_one(account: BillingAccount) -> None:
    assert then(charge_on(account), charge_on(account)) == Charge.objects.get()


def test_a_charge_is_settled_once(account: BillingAccount) -> None:
    charge = charge_on(account)()
    one, two = (partial(settle_charge, charge.pk, reference=name, actor=make.PLATFORM) for name in ("one", "two"))
    assert isinstance(then(one, two), Conflict)
    assert Charge.objects.get().settlement_reference == "one"


def test_a_request_is_decided_once(account: BillingAccount) -> None:
    request = make.a_request(account)
    refusal = partial(reject, request.pk, comment="no", actor=make.APPROVER)
    assert isinstance(then(partial(approve, request.pk, actor=make.APPROVER), refusal), Conflict)
    request.refresh_from_db()
    assert request.phase == "Approved"


def test_a_suspension_keeps_the_revision_before_it(account: BillingAccount) -> None:
    renamed = replace(AccountSpec.of(account), display_name="Renamed")
    assert isinstance(
        then(partial(revise, account.pk, renamed, actor=make.PLATFORM), suspension_of(account)), BillingAccount
    )
    account.refresh_from_db()
    assert (account.display_name, account.phase) == ("Renamed", "Suspended")


def test_a_suspension_is_resolved_once(account: BillingAccount) -> None:
    suspension_of(account)()
    suspension = Suspension.objects.get()
    resolution = partial(resolve, account.pk, suspension.uid, evidence=EVIDENCE, actor=make.PLATFORM)
    assert isinstance(then(resolution, resolution), NotFound)
    assert suspension.history.count() == 2


def test_of_two_workers_each_notice_is_delivered_by_one(
    invoiced_account: BillingAccount, bound_project: Project
) -> None:
    suspension_of(invoiced_account)()
    assert then(deliver_due, deliver_due) == 0
    assert len(mail.outbox) == Notice.objects.count() == 1


def test_a_dead_notice_is_owed_again_once(invoiced_account: BillingAccount) -> None:
    suspension_of(invoiced_account)()
    Notice.objects.update(phase=Notice.Phase.DEAD)
    again = partial(requeue, Notice.objects.get().pk, actor=make.PLATFORM)
    assert isinstance(then(again, again), NotFound)


def test_of_two_workers_one_tells_projects_of_their_payer(
    invoiced_account: BillingAccount, bound_project: Project
) -> None:
    suspension_of(invoiced_account)()
    assert then(announce_due, announce_due) == 0


def test_what_a_project_is_told_shows_its_last_revision(
    invoiced_account: BillingAccount, bound_project: Project
) -> None:
    suspension_of(invoiced_account)()
    renamed = partial(revise_project, bound_project.pk, ProjectSpec("Renamed"), actor=make.PLATFORM)
    calls: list[Callable[[], object]] = [renamed, announce_due]
    assert tally(side_by_side(*calls)) == {"Project": 1, "int": 1}
    assert_watchers_see(bound_project)


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Callable[[int], None]:
    """Moves the clock on by so many days, on a platform whose archive is in memory."""
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    settings.MILO_PLATFORM_COUNTRY = "AR"
    now = timezone.now
    return lambda days: monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(days=days))


def test_a_hold_is_in_the_bundle_or_the_account_is_archived_later(
    account: BillingAccount, days: Callable[[int], None]
) -> None:
    make.an_approved(account, "Close")
    days(100)
    assert isinstance(then(hold_on(account), partial(archive, account.pk, actor=make.PLATFORM)), Conflict)
    assert BillingAccount.objects.get(pk=account.pk).phase == BillingAccount.Phase.CLOSED


def test_a_hold_comes_before_the_purge(account: BillingAccount, days: Callable[[int], None]) -> None:
    make.an_approved(account, "Close")
    days(100)
    archive(account.pk, actor=make.PLATFORM)
    days(365 * 12)
    assert isinstance(then(hold_on(account), partial(purge, account.pk, actor=make.PLATFORM)), Invalid)
    assert BillingAccount.objects.get(pk=account.pk).pseudonymised_on is None


def test_a_token_is_revoked_once() -> None:
    token, _secret = make.a_token(make.a_person())
    revocation = partial(revoke_token, token.pk, actor=make.PLATFORM)
    assert isinstance(then(revocation, revocation), ServiceToken)
    assert token.history.count() == 2
