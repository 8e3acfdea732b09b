"""Payer changes at their edges: sets that change under a plan, lists that are empty, a worker that comes late."""

from contextlib import nullcontext
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding, Notice, PayerChange, Suspension
from billing.services.account_spec import AccountSpec
from billing.services.accounts import revise
from billing.services.closed_months import close_month
from billing.services.payer_changes import facts
from billing.services.payer_changes.cancellations import cancel
from billing.services.payer_changes.creation import OF_A_USER
from billing.services.payer_changes.facts import move_due
from billing.services.payer_changes.retries import retry
from billing.services.projects import archive_project
from billing.services.suspensions import preview, resolve, suspend
from milo import audit
from milo.errors import Invalid
from projects.models import Project
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.ledger import everything, member, refused
from tests.support.payer_changes import DAY, HOUR, Travel, World, a_payer_change, outcomes, travel

__all__ = ["travel"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


def messages(caught: Any) -> dict[str, str]:
    return {cause.field: cause.message for cause in caught.value.causes}


def test_an_account_that_is_missing_has_no_projects_to_refuse(world: World) -> None:
    for _ in range(OF_A_USER):
        make.a_project(world.organization)
    user = member(world.organization.pk, "billing-user")
    with refused(Invalid) as caught:
        a_payer_change(world.emea, source="nothing", actor=user)
    assert messages(caught) == {"spec.fromAccountRef.name": "there is no billing account nothing in this organization"}


def test_an_empty_list_of_projects_cancels_nothing(world: World) -> None:
    change = a_payer_change(world.emea, *world.projects)
    with refused(Invalid) as caught:
        cancel(change.pk, reason="a mistake", projects=[], actor=make.PLATFORM)
    assert set(messages(caught)) == {"spec.projects"}
    assert {phase for phase, _reason in outcomes(change).values()} == {"Pending"}


@pytest.mark.parametrize("dry", [False, True])
def test_what_a_late_worker_has_yet_to_move_to_the_target_is_not_selected(
    world: World, travel: Travel, *, dry: bool
) -> None:
    Project.objects.filter(pk__in=[each.pk for each in world.projects]).update(labels={"team": "shop"})
    a_payer_change(world.emea, world.shop)
    travel(DAY + HOUR)
    with audit.dry_run() if dry else nullcontext(), audit.transaction():
        change = a_payer_change(world.emea, labels={"team": "shop"})
        assert set(outcomes(change)) == {each.name for each in world.projects[1:]}


@pytest.mark.parametrize("dry", [False, True])
def test_what_a_late_worker_has_yet_to_take_from_an_account_is_not_moved_from_it(
    world: World, travel: Travel, *, dry: bool
) -> None:
    third = make.a_ready_account(world.organization)
    a_payer_change(third, world.shop)
    travel(DAY + HOUR)
    with audit.dry_run() if dry else nullcontext(), audit.transaction() if dry else nullcontext():
        change = a_payer_change(world.emea, source=world.eu.name)
        assert set(outcomes(change)) == {each.name for each in world.projects[1:]}


def test_who_was_incomplete_at_the_instant_gets_no_project_by_becoming_ready_after_it(
    world: World, travel: Travel
) -> None:
    late = make.an_incomplete_account(world.organization)
    change = a_payer_change(late, world.shop)
    travel(DAY + HOUR)
    revise(late.pk, AccountSpec("", "USD", make.TERMS, make.CARD), actor=make.PLATFORM)
    assert BillingAccount.objects.get(pk=late.pk).phase == BillingAccount.Phase.READY
    move_due()
    assert outcomes(change) == {world.shop.name: ("Failed", "AccountNotReady")}
    assert world.payers()[0] == world.eu.name
    retry(change.pk, reason="it is complete", actor=make.PLATFORM)
    move_due()
    assert outcomes(change) == {world.shop.name: ("Done", "")}


def test_what_failed_before_the_rest_was_cancelled_needs_another_plan(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "BATCH", 1)
    change = a_payer_change(world.emea, *world.projects, effective_at=None)
    make.in_phase(world.emea, "Incomplete")
    assert facts.move_batch(change.pk) == 1
    cancel(change.pk, reason="not now", actor=make.PLATFORM)
    ended = outcomes(change)
    assert sorted(ended.values())[::2] == [("Cancelled", "Cancelled"), ("Failed", "AccountNotReady")]
    make.in_phase(world.emea, "Ready")
    with refused(Invalid, "since it is Cancelled: write another one"):
        retry(change.pk, reason="it is complete", actor=make.PLATFORM)
    assert outcomes(change) == ended


def test_an_account_that_became_ready_by_a_clock_ahead_gets_its_projects_now(world: World) -> None:
    ahead = timezone.now() + timedelta(seconds=30)
    BillingAccount.objects.filter(pk=world.emea.pk).update(phase_since=ahead)
    change = a_payer_change(world.emea, world.shop, effective_at=None)
    assert change.effective_at > ahead


def test_archiving_locks_the_account_before_the_payer_change_as_the_worker_does(world: World) -> None:
    a_payer_change(world.emea, *world.projects)
    with CaptureQueriesContext(connection) as queries:
        archive_project(world.shop.pk, actor=make.PLATFORM)
    read = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    first = {
        model: next(number for number, sql in enumerate(read) if f'FROM "{model._meta.db_table}"' in sql)
        for model in (BillingAccount, PayerChange)
    }
    assert first[BillingAccount] < first[PayerChange]


def test_dry_runs_and_previews_answer_as_if_what_is_due_were_a_fact(world: World, travel: Travel) -> None:
    *moving, third = world.projects
    change = a_payer_change(world.emea, *moving)
    travel(DAY + HOUR)
    before = everything()
    shown = preview(world.emea, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
    assert shown["projects"] == sorted(project.name for project in moving)
    acts = (
        partial(suspended, world.emea),
        partial(suspended, world.eu),
        partial(close_month, world.emea.pk, date(2024, 1, 1), reason="invoiced", actor=make.PLATFORM),
    )
    for act in acts:
        with audit.dry_run(), audit.transaction():
            act()
            paying = BillingAccountBinding.objects.paying().filter(account=world.emea)
            assert {binding.project for binding in paying} == {*moving}
    assert everything() == before
    # an account that is suspended still gets no project
    change = a_payer_change(world.emea, third)
    request = a_reactivation(world.emea)
    travel(DAY + HOUR)
    with audit.dry_run(), audit.transaction():
        make.approve(request.pk, actor=make.APPROVER)
        assert outcomes(change) == {third.name: ("Failed", "AccountNotReady")}
    assert outcomes(change) == {third.name: ("Pending", "")}


def suspended(account: BillingAccount) -> BillingAccount:
    return suspend(account.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)


def a_reactivation(account: BillingAccount) -> ApprovalRequest:
    """A request to reactivate an account whose suspension is resolved."""
    suspended(account)
    opened = Suspension.objects.get(account=account)
    evidence = {"reviewer": "jo", "note": "cleared"}
    resolve(account.pk, opened.uid, evidence=evidence, actor=make.PLATFORM)
    account.refresh_from_db()
    return make.a_request(account, "Reactivate")


def test_what_is_due_comes_before_the_suspension_of_the_payer_of_record_and_after_it_fails(
    world: World, travel: Travel
) -> None:
    """However late the worker is: the account that another pays for gets no project while that one is suspended."""
    group = make.a_ready_account(world.organization)
    unused = make.a_ready_account(world.organization)
    an_affiliation(unused, group)
    contact = ["a@example.org"]
    coming, staying, third = (make.a_project(world.organization, contact_email_addresses=contact) for _ in range(3))
    make.a_binding(third, unused)
    begun = a_payer_change(unused, coming)
    late = a_payer_change(unused, staying, effective_at=timezone.now() + 2 * DAY)
    leaving = a_payer_change(world.emea, third, effective_at=timezone.now() + 3 * DAY)
    travel(DAY + HOUR)
    request = a_reactivation(group)
    assert outcomes(begun) == {coming.name: ("Done", "")}
    assert Notice.objects.filter(project=coming, about="Suspended").exists()
    travel(DAY)
    make.approve(request.pk, actor=make.APPROVER)
    assert outcomes(late) == {staying.name: ("Failed", "AccountNotReady")}
    travel(DAY)
    suspended(group)
    assert outcomes(leaving) == {third.name: ("Done", "")}
    # of the first suspension: it has left since
    assert Notice.objects.filter(project=third, about="Suspended").count() == 1
