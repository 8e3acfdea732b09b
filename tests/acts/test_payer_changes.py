"""Payer changes: a plan is no fact, and when its instant has come it is a bind like any other, exactly then."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.models import BillingAccount, BillingAccountBinding, Notice, PayerChange, PayerChangeItem
from billing.services.approvals.closures import blockers
from billing.services.closed_months import close_month
from billing.services.handovers import hand_over_all
from billing.services.past import payer_at
from billing.services.payer_changes import facts
from billing.services.payer_changes.cancellations import cancel
from billing.services.payer_changes.conditions import foresee, remind
from billing.services.payer_changes.creation import OF_A_USER
from billing.services.payer_changes.facts import move_due
from billing.services.payer_changes.moves import binding_names
from billing.services.payer_changes.retries import retry
from billing.services.payer_locks import lock_payer, unlock_payer
from billing.services.projects import archive_project
from billing.services.suspensions import resolve, suspend
from billing.services.usage import locks
from milo.access import Actor
from milo.errors import AlreadyExists, Forbidden, Invalid, Refused
from projects.models import Project
from tests.support import make
from tests.support.ledger import (
    assert_history_explains,
    assert_timeline,
    assert_watchers_see,
    authors,
    member,
    nobody_in,
    nothing_changes,
    refused,
    revisions,
    shown,
    staff,
    steps,
)
from tests.support.payer_changes import DAY, HOUR, Travel, World, a_payer_change, outcomes, travel

__all__ = ["travel"]
pytestmark = pytest.mark.django_db
NOW: dict[str, Any] = {"effective_at": None}
HAND_OVER = "billing.services.payer_changes.moves.hand_over_all"


@pytest.fixture
def world() -> World:
    return World()


def causes(caught: "pytest.ExceptionInfo[Refused]") -> dict[str, str]:
    return {cause.field: cause.message for cause in caught.value.causes}


def test_a_plan_changes_no_payer_until_its_instant(world: World) -> None:
    change = a_payer_change(world.emea, *world.projects)
    assert move_due() == 0
    assert world.payers() == [world.eu.name] * 3
    assert change.phase == PayerChange.Phase.SCHEDULED
    assert set(outcomes(change).values()) == {("Pending", "")}
    assert_history_explains(change)
    assert_watchers_see(change)
    assert shown(change)["status"]["counts"] == {"total": 3, "pending": 3, "done": 0, "failed": 0, "cancelled": 0}


def test_when_due_each_project_moves_at_exactly_the_planned_instant_however_late(world: World, travel: Travel) -> None:
    change = a_payer_change(world.emea, *world.projects, name="eu-to-emea")
    travel(DAY + HOUR)
    assert move_due() == 3
    assert world.payers() == [world.emea.name] * 3
    for project, before in zip(world.projects, world.bindings, strict=True):
        binding = BillingAccountBinding.objects.paying().get(project=project)
        before.refresh_from_db()
        assert binding.established_at == before.ended_at == change.effective_at
        assert binding.name == f"eu-to-emea-{project.name}"
        assert binding.labels == {"billing.milo.io/payer-change": "eu-to-emea"}
        assert binding.created_at >= change.effective_at + HOUR
        assert authors(binding) == {"system:payer-changes"}
        assert_timeline(project)
        assert_history_explains(binding)
        assert_watchers_see(project)
    change.refresh_from_db()
    assert (change.phase, change.total, change.done, change.failed, change.cancelled) == ("Completed", 3, 3, 0, 0)
    message = "PayerChangeCompleted: 3 of 3 projects moved, 0 failed, 0 were cancelled"
    assert steps(change)[-1] == ("Completed", message)
    assert_watchers_see(change)
    assert move_due() == 0


def test_as_known_before_it_was_recorded_the_ledger_answers_with_the_payer_it_knew(
    world: World, travel: Travel
) -> None:
    change = a_payer_change(world.emea, world.shop)
    between = travel(DAY + HOUR)
    travel(HOUR)
    move_due()
    recorded = timezone.now()
    for at in (change.effective_at, between):
        known, now = payer_at(world.shop, at, between), payer_at(world.shop, at, recorded)
        assert known
        assert now
        assert (known.account, known.binding and known.binding.ended_at, now.account) == (world.eu, None, world.emea)
    before = payer_at(world.shop, change.effective_at - timedelta(microseconds=1))
    assert before
    assert before.account == world.eu


def test_without_an_instant_projects_move_now_in_the_background(world: World) -> None:
    change = a_payer_change(world.emea, *world.projects, **NOW)
    assert world.payers() == [world.eu.name] * 3
    assert move_due() == 3
    assert world.payers() == [world.emea.name] * 3
    bindings = BillingAccountBinding.objects.paying().filter(account=world.emea)
    assert {binding.established_at for binding in bindings} == {change.effective_at}


def test_a_long_move_takes_several_transactions_and_goes_on_where_it_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "BATCH", 2)
    change = a_payer_change(world.emea, source=world.eu.name, **NOW)
    assert facts.move_batch(change.pk) == 2
    change.refresh_from_db()
    assert change.phase == PayerChange.Phase.IN_PROGRESS
    assert shown(change)["status"]["counts"] == {"total": 3, "pending": 1, "done": 2, "failed": 0, "cancelled": 0}
    assert move_due() == 1
    change.refresh_from_db()
    assert change.phase == PayerChange.Phase.COMPLETED
    reasons = [revision.reason for revision in revisions(change)]
    assert reasons == ["PayerChangeCreated", "PayerChangeBegun", "PayerChangeCompleted"]


def test_the_set_is_fixed_when_it_is_created(world: World, travel: Travel) -> None:
    change = a_payer_change(world.emea, source=world.eu.name)
    later = make.a_project(world.organization)
    make.a_binding(later, world.eu)
    travel(DAY)
    move_due()
    assert set(outcomes(change)) == {project.name for project in world.projects}
    assert BillingAccountBinding.objects.paying().get(project=later).account_id == world.eu.pk


def test_a_selector_chooses_by_labels_what_the_target_does_not_pay_for(world: World) -> None:
    for project in world.projects[:2]:
        Project.objects.filter(pk=project.pk).update(labels={"team": "web"})
    make.a_binding(world.projects[1], world.emea)
    change = a_payer_change(world.emea, labels={"team": "web"}, **NOW)
    assert outcomes(change) == {world.shop.name: ("Pending", "")}


def test_every_fault_of_a_plan_is_named_at_once_by_index(world: World) -> None:
    archived, foreign = make.a_project(world.organization), make.a_project(make.an_organization())
    archive_project(archived.pk, actor=make.PLATFORM)
    bound = make.a_binding(make.a_project(world.organization), world.emea)
    first = a_payer_change(world.emea, world.projects[1], name="first")
    with refused(Invalid) as caught:
        names = [world.shop, archived, foreign, bound.project, world.projects[1], archived]
        a_payer_change(world.emea, *names, effective_at=timezone.now() - HOUR, reason=" ")
    told = causes(caught)
    planned = told.pop("spec.projects[4]")
    assert planned.startswith(f"project {world.projects[1].name} moves to {world.emea.name} on ")
    assert planned.endswith(f"{first.effective_at:%M:%SZ} by payer change first: cancel that first")
    assert told == {
        "spec.reason": "is required",
        "spec.effectiveAt": "must be in the future",
        "spec.projects[1]": f"project {archived.name} is archived",
        "spec.projects[2]": f"there is no project {foreign.name} in this organization",
        "spec.projects[3]": f"{world.emea.name} pays for this project already, by binding {bound.name}",
        "spec.projects[5]": f"names project {archived.name} a second time",
    }


SPECS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no reason": ({"reason": " "}, "spec.reason", "is required"),
    "more than a year": ({"effective_at": timedelta(days=367)}, "spec.effectiveAt", "is more than 1 year ahead"),
    "two ways": ({"source": "eu"}, "spec.projects", "exactly one of projects, fromAccountRef and projectSelector"),
    "a project twice": ({"projects": ["a", "a"]}, "spec.projects[1]", "names project a a second time"),
    "nobody": ({"projects": []}, "spec.projects", "is required"),
    "no account": ({"account": "nobody"}, "spec.toAccountRef.name", "there is no billing account nobody"),
    "an empty selector": ({"projects": None, "labels": {}}, "spec.projectSelector.matchLabels", "is required"),
    "a selector of none": ({"projects": None, "labels": {"a": "b"}}, "spec.projectSelector", "no project to move"),
    "no such source": ({"projects": None, "source": "x"}, "spec.fromAccountRef.name", "there is no billing account x"),
}


@pytest.mark.parametrize("case", SPECS)
def test_a_faulty_spec_is_refused(world: World, case: str) -> None:
    changed, field, message = SPECS[case]
    spec: dict[str, Any] = {"projects": [world.shop.name], **changed}
    if isinstance(spec.get("effective_at"), timedelta):
        spec["effective_at"] = timezone.now() + spec["effective_at"]
    account = BillingAccount(name=spec.pop("account", world.emea.name), organization_id=world.organization.pk)
    with refused(Invalid) as caught:
        a_payer_change(account, **spec)
    assert message in causes(caught)[field]


def test_the_same_name_again_already_exists_and_nothing_moves_twice(world: World) -> None:
    a_payer_change(world.emea, world.shop, name="move", **NOW)
    with refused(AlreadyExists):
        a_payer_change(world.emea, world.shop, name="move", **NOW)
    move_due()
    with refused(AlreadyExists):
        a_payer_change(world.emea, world.shop, name="move", **NOW)


@pytest.mark.parametrize("phase", ["Incomplete", "Suspended"])
def test_later_an_account_that_is_not_ready_yet_may_be_the_target_now_it_may_not(world: World, phase: str) -> None:
    make.in_phase(world.emea, phase)
    change = a_payer_change(world.emea, world.shop)
    (condition, _complete) = shown(change)["status"]["conditions"]
    shows = (condition["type"], condition["status"], condition["reason"])
    assert shows == ("WillTakeEffect", "False", "AccountNotReady")
    assert f"{world.emea.name} is {phase}, not Ready" in condition["message"]
    with refused(Invalid) as caught:
        a_payer_change(world.emea, world.projects[1], **NOW)
    assert "spec.toAccountRef.name" in causes(caught)


@pytest.mark.parametrize("phase", ["Closed", "Archived"])
def test_a_closed_account_is_no_target_at_any_time(world: World, phase: str) -> None:
    make.in_phase(world.emea, phase)
    with refused(Invalid) as caught:
        a_payer_change(world.emea, world.shop)
    assert phase in causes(caught)["spec.toAccountRef.name"]


def test_now_what_cannot_move_is_an_outcome_unless_none_can(world: World) -> None:
    archived = make.a_project(world.organization)
    archive_project(archived.pk, actor=make.PLATFORM)
    with refused(Invalid):
        a_payer_change(world.emea, archived, **NOW)
    with refused(Invalid):
        a_payer_change(world.emea, archived, world.shop, atomic=True, **NOW)
    change = a_payer_change(world.emea, archived, world.shop, **NOW)
    assert outcomes(change) == {archived.name: ("Failed", "ProjectArchived"), world.shop.name: ("Pending", "")}
    move_due()
    change.refresh_from_db()
    assert (change.phase, change.done, change.failed) == ("PartlyCompleted", 1, 1)


def test_when_due_a_target_that_is_not_ready_fails_with_the_binds_own_message(world: World, travel: Travel) -> None:
    make.a_person("acme-admin", roles={world.organization: "billing-admin"}, email="admin@acme-corp.example")
    change = a_payer_change(world.emea, *world.projects)
    suspend(world.emea.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
    travel(DAY)
    assert move_due() == 3
    assert world.payers() == [world.eu.name] * 3
    assert set(outcomes(change).values()) == {("Failed", "AccountNotReady")}
    item = PayerChangeItem.objects.filter(change=change).earliest("pk")
    assert item.message == f"billing account {world.emea.name} is Suspended, not Ready: under review"
    change.refresh_from_db()
    assert change.phase == PayerChange.Phase.FAILED
    notice = Notice.objects.get(about="MoveFailed")
    assert (notice.recipient, notice.context["failed"]) == ("admin@acme-corp.example", 3)
    assert_watchers_see(change)


def test_a_retry_is_effective_then_and_not_backdated(world: World, travel: Travel) -> None:
    make.in_phase(world.emea, "Incomplete")
    change = a_payer_change(world.emea, *world.projects)
    due = travel(DAY + HOUR)
    move_due()
    BillingAccount.objects.filter(pk=world.emea.pk).update(phase="Ready")
    with refused(Invalid):
        retry(change.pk, reason=" ", actor=make.PLATFORM)
    retried = retry(change.pk, reason="the account is complete", actor=make.PLATFORM)
    assert (retried.phase, retried.total, retried.finished_at) == ("InProgress", None, None)
    assert steps(change)[-1] == ("InProgress", "PayerChangeRetried: the account is complete")
    assert_watchers_see(retried)
    with refused(Invalid, "is InProgress: wait until it has ended"):
        retry(change.pk, reason="once more", actor=make.PLATFORM)
    travel(HOUR)
    assert move_due() == 3
    for project in world.projects:
        first, second = assert_timeline(project)
        assert first.ended_at == second.established_at
        assert due < second.established_at < due + HOUR
    change.refresh_from_db()
    assert (change.phase, change.done) == ("Completed", 3)


def test_a_retry_is_refused_while_another_plan_is_open(world: World, travel: Travel) -> None:
    make.in_phase(world.emea, "Incomplete")
    change = a_payer_change(world.emea, world.shop)
    travel(DAY)
    move_due()
    a_payer_change(make.a_ready_account(world.organization), world.shop, name="another")
    with refused(Invalid, "another payer change is planned"):
        retry(change.pk, reason="try again", actor=make.PLATFORM)


def test_a_bind_is_refused_while_a_plan_is_open_and_allowed_after_its_cancellation(world: World) -> None:
    day = (timezone.now() + 3 * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    change = a_payer_change(world.emea, world.shop, name="eu-to-emea", effective_at=day)
    third = make.a_ready_account(world.organization)
    with refused(Invalid) as caught:
        make.a_binding(world.shop, third)
    message = f"project {world.shop.name} moves to {world.emea.name} on {day:%Y-%m-%d} by payer change eu-to-emea:"
    assert causes(caught) == {"spec.projectRef.name": f"{message} cancel that first"}
    with refused(Invalid):
        a_payer_change(third, world.shop)
    cancel(change.pk, reason="put off", actor=make.PLATFORM)
    make.a_binding(world.shop, third)
    assert world.payers()[0] == third.name


def test_due_comes_before_a_bind(world: World, travel: Travel) -> None:
    change = a_payer_change(world.emea, world.shop)
    third = make.a_ready_account(world.organization)
    travel(DAY + HOUR)
    bound = make.a_binding(world.shop, third)
    first, planned, last = assert_timeline(world.shop)
    assert [each.account_id for each in (first, planned, last)] == [world.eu.pk, world.emea.pk, third.pk]
    assert planned.established_at == change.effective_at
    assert bound.established_at == planned.ended_at
    change.refresh_from_db()
    assert change.phase == PayerChange.Phase.COMPLETED


def test_due_comes_before_archiving_and_archiving_cancels_what_is_not_due(world: World, travel: Travel) -> None:
    due = a_payer_change(world.emea, world.shop)
    later = a_payer_change(world.emea, *world.projects[1:], effective_at=timezone.now() + 3 * DAY)
    travel(DAY + HOUR)
    archive_project(world.shop.pk, actor=make.PLATFORM)
    archive_project(world.projects[1].pk, actor=make.PLATFORM)
    ended = assert_timeline(world.shop)[-1]
    assert (ended.account_id, ended.established_at) == (world.emea.pk, due.effective_at)
    assert outcomes(later) == {
        world.projects[1].name: ("Cancelled", "ProjectArchived"),
        world.projects[2].name: ("Pending", ""),
    }
    assert [steps(each)[-1][0] for each in (due, later)] == ["Completed", "Scheduled"]
    archive_project(world.projects[2].pk, actor=make.PLATFORM)
    later.refresh_from_db()
    assert (later.phase, later.cancelled) == ("Cancelled", 2)
    assert_watchers_see(later)


def test_due_comes_before_another_plan(world: World, travel: Travel) -> None:
    first = a_payer_change(world.emea, *world.projects)
    travel(DAY + HOUR)
    change = a_payer_change(world.eu, source=world.emea.name, **NOW)
    assert set(outcomes(change)) == {project.name for project in world.projects}
    move_due()
    begun = [binding.established_at for binding in assert_timeline(world.shop)[1:]]
    assert begun == [first.effective_at, change.effective_at]


def test_an_atomic_change_moves_all_or_none(world: World, travel: Travel) -> None:
    first = a_payer_change(world.emea, *world.projects[:2], atomic=True, name="move")
    second = a_payer_change(world.emea, world.projects[2])
    # both names that the binding could have are taken, which no rule foresees when it is planned
    for name in set(binding_names(first, world.projects[1].name)):
        make.a_binding(make.a_project(world.organization), world.eu, name)
    travel(DAY)
    move_due()
    assert outcomes(first) == {
        world.shop.name: ("Failed", "OthersFailed"),
        world.projects[1].name: ("Failed", "NameTaken"),
    }
    assert outcomes(second) == {world.projects[2].name: ("Done", "")}
    assert world.payers() == [world.eu.name, world.eu.name, world.emea.name]


def test_of_an_atomic_change_a_due_project_brings_the_others_along(world: World, travel: Travel) -> None:
    change = a_payer_change(world.emea, *world.projects, atomic=True)
    travel(DAY)
    archive_project(world.projects[1].pk, actor=make.PLATFORM)
    assert set(outcomes(change).values()) == {("Done", "")}
    assert world.payers() == [world.emea.name] * 2


def test_cancelling_keeps_what_is_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "BATCH", 1)
    # with one lock projects move in the order of their keys
    monkeypatch.setattr(locks, "BUCKETS", 1)
    change = a_payer_change(world.emea, *world.projects, **NOW)
    facts.move_batch(change.pk)
    with refused(Invalid) as caught:
        cancel(change.pk, reason="put off", projects=[world.shop.name, world.projects[1].name], actor=make.PLATFORM)
    assert set(causes(caught)) == {"spec.projects[0]"}
    cancel(change.pk, reason="not this one", projects=[world.projects[1].name], actor=make.PLATFORM)
    cancelled = cancel(change.pk, reason="put off", actor=make.PLATFORM)
    assert (cancelled.phase, cancelled.done, cancelled.cancelled) == ("Cancelled", 1, 2)
    assert steps(change)[-1][1] == "PayerChangeCancelled: 1 projects stay, 1 had moved before: put off"
    assert world.payers() == [world.emea.name, world.eu.name, world.eu.name]
    assert move_due() == 0
    with refused(Invalid, "has ended"):
        cancel(change.pk, reason="again", actor=make.PLATFORM)


def test_a_plan_towards_an_account_blocks_its_closure_and_one_away_is_the_way_out(world: World) -> None:
    change = a_payer_change(world.emea, world.shop, name="eu-to-emea")
    (blocker,) = blockers(world.emea)
    assert (blocker.type, blocker.name, blocker.fix) == ("PayerChange", "eu-to-emea", "cancel it")
    of_source = {each.message: each.fix for each in blockers(world.eu)}
    assert {each.type for each in blockers(world.eu)} == {"BillingAccountBinding"}
    assert "by payer change eu-to-emea" in of_source[f"project {world.shop.name} is bound to the account"]
    cancel(change.pk, reason="put off", actor=make.PLATFORM)
    assert blockers(world.emea) == []


def test_who_may_not_bind_may_not_plan(world: World) -> None:
    change = a_payer_change(world.emea, world.shop)
    for actor in (nobody_in(world.organization.pk), member(world.organization.pk, "billing-viewer"), staff("auditor")):
        with refused(Forbidden):
            a_payer_change(world.emea, world.projects[1], actor=actor)
        with refused(Forbidden):
            cancel(change.pk, reason="put off", actor=actor)
        with refused(Forbidden):
            retry(change.pk, reason="try again", actor=actor)


def test_a_billing_user_moves_twenty_projects_at_most(world: World) -> None:
    user, admin = (member(world.organization.pk, role) for role in ("billing-user", "billing-admin"))
    for _ in range(OF_A_USER - 3):
        make.a_binding(make.a_project(world.organization), world.eu)
    first = a_payer_change(world.emea, source=world.eu.name, actor=user)
    cancel(first.pk, reason="put off", actor=user)
    make.a_binding(make.a_project(world.organization), world.eu)
    with refused(Forbidden, "at most 20 projects"):
        a_payer_change(world.emea, source=world.eu.name, actor=user)
    assert len(outcomes(a_payer_change(world.emea, source=world.eu.name, actor=admin))) == OF_A_USER + 1


def test_when_the_target_leaves_ready_the_change_log_says_so_and_people_are_told(world: World, travel: Travel) -> None:
    make.a_person("acme-admin", roles={world.organization: "billing-admin"}, email="admin@acme-corp.example")
    make.a_person("planner", email="planner@acme-corp.example")
    planner = Actor("user:planner", roles=frozenset({"finance-operator"}))
    change = a_payer_change(world.emea, world.shop, effective_at=timezone.now() + 10 * DAY, actor=planner)
    assert foresee() == remind() == 0
    suspend(world.emea.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
    assert (foresee(), foresee(), remind()) == (1, 0, 0)
    assert revisions(change)[-1].reason == "PayerChangeAtRisk"
    change.refresh_from_db()
    assert_watchers_see(change)
    travel(4 * DAY)
    assert (remind(), remind()) == (2, 0)
    travel(5 * DAY + HOUR)
    assert (remind(), remind()) == (2, 0)
    told = Notice.objects.filter(about="MoveAtRisk").values_list("recipient", flat=True)
    assert sorted(told) == ["admin@acme-corp.example"] * 2 + ["planner@acme-corp.example"] * 2


def test_names_of_bindings_are_valid_however_long(world: World) -> None:
    change = a_payer_change(world.emea, world.shop, name="c" * 53 + "-" * 9 + "d")
    name, hashed = binding_names(change, world.shop.name)
    assert name == hashed
    assert len(name) <= 63
    assert name.startswith("c" * 53 + "-")
    assert "--" not in name


def test_a_name_that_is_taken_gets_a_hash(world: World, travel: Travel) -> None:
    make.a_binding(make.a_project(world.organization), world.eu, f"move-{world.shop.name}")
    change = a_payer_change(world.emea, world.shop, name="move")
    travel(DAY)
    move_due()
    binding = PayerChangeItem.objects.get(change=change).binding
    assert binding
    assert binding.name.startswith(f"move-{world.shop.name}-")


def test_a_worker_that_ends_in_mid_batch_loses_that_batch_alone_and_nothing_moves_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "BATCH", 2)
    change, calls, act = a_payer_change(world.emea, source=world.eu.name, **NOW), [0], hand_over_all

    def killed_at(number: int) -> None:
        def killed(*arguments: Any, **named: Any) -> None:
            calls[0] += 1
            act(*arguments, **named)
            if calls[0] == number:
                raise KeyboardInterrupt

        monkeypatch.setattr(HAND_OVER, killed)

    killed_at(1)
    with nothing_changes(), pytest.raises(KeyboardInterrupt):
        move_due()
    calls[0] = 0
    killed_at(2)
    with pytest.raises(KeyboardInterrupt):
        move_due()
    assert sorted(phase for phase, _reason in outcomes(change).values()) == ["Done", "Done", "Pending"]
    assert move_due() == 1
    for project in world.projects:
        assert len(assert_timeline(project)) == 2
    change.refresh_from_db()
    assert (change.phase, change.done) == ("Completed", 3)


def test_a_change_that_cannot_go_on_does_not_hold_up_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = a_payer_change(world.emea, world.shop, **NOW)
    free, act = a_payer_change(world.emea, world.projects[1], **NOW), hand_over_all

    def failing(handovers: Any, **named: Any) -> None:
        if any(binding.project_id == world.shop.pk for binding, _previous in handovers):
            raise RuntimeError("what no rule foresaw")
        act(handovers, **named)

    with monkeypatch.context() as patched:
        patched.setattr(HAND_OVER, failing)
        assert move_due() == 1
    assert outcomes(free) == {world.projects[1].name: ("Done", "")}
    assert outcomes(stuck) == {world.shop.name: ("Pending", "")}
    assert move_due() == 1


def test_a_locked_payer_refuses_a_plan_and_fails_one_that_was_made_before(world: World, travel: Travel) -> None:
    change = a_payer_change(world.emea, world.shop)
    for project in world.projects[:2]:
        lock_payer(project.pk, reason="regulated workload", actor=Actor.system("operator"))
    with refused(Invalid) as caught:
        a_payer_change(world.emea, world.projects[1])
    assert f"the payer of {world.projects[1].name} is locked since" in causes(caught)["spec.projects[0]"]
    travel(DAY)
    move_due()
    assert outcomes(change) == {world.shop.name: ("Failed", "PayerLocked")}
    assert world.payers() == [world.eu.name] * 3


def test_due_comes_before_a_lock(world: World, travel: Travel) -> None:
    change = a_payer_change(world.emea, world.shop)
    travel(DAY + HOUR)
    lock_payer(world.shop.pk, reason="regulated workload", actor=make.PLATFORM)
    assert outcomes(change) == {world.shop.name: ("Done", "")}
    assert world.payers()[0] == world.emea.name


def test_due_comes_before_a_month_is_closed(world: World, travel: Travel) -> None:
    month = timezone.now().date().replace(day=1)
    # of the account that gets a project, and of the one that it leaves
    for account, project in ((world.emea, world.shop), (world.eu, world.projects[1])):
        change = a_payer_change(world.emea, project)
        travel(40 * DAY)
        close_month(account.pk, month, reason="invoiced", actor=make.PLATFORM)
        assert outcomes(change) == {project.name: ("Done", "")}


def test_due_comes_before_a_suspension(world: World, travel: Travel) -> None:
    # of the account that gets a project, and of the one that it leaves
    for account, project in ((world.emea, world.shop), (world.eu, world.projects[1])):
        world.emea = make.a_ready_account(world.organization) if account == world.eu else world.emea
        change = a_payer_change(world.emea, project)
        at = travel(DAY + HOUR) - HOUR
        suspend(account.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
        assert outcomes(change) == {project.name: ("Done", "")}
        assert project.bindings.get(account=world.emea).established_at < at + HOUR
    told = Notice.objects.filter(about=Notice.About.SUSPENDED, account=world.eu).values_list("project__name", flat=True)
    assert world.projects[1].name not in told


def test_who_was_suspended_at_the_instant_gets_no_project_by_a_reactivation_after_it(
    world: World, travel: Travel
) -> None:
    change = a_payer_change(world.emea, world.shop)
    make.in_phase(world.emea, "Suspended")
    uid = world.emea.suspensions.get().uid
    resolve(world.emea.pk, uid, evidence={"reviewer": "operator", "note": "all is well"}, actor=make.PLATFORM)
    request = make.a_request(world.emea, "Reactivate")
    travel(DAY + HOUR)
    make.approve(request.pk, actor=make.APPROVER)
    assert outcomes(change) == {world.shop.name: ("Failed", "AccountNotReady")}
    move_due()
    assert world.payers()[0] == world.eu.name


def test_who_was_locked_at_the_instant_does_not_move_by_an_unlocking_after_it(world: World, travel: Travel) -> None:
    change = a_payer_change(world.emea, world.shop)
    lock_payer(world.shop.pk, reason="regulated workload", actor=make.PLATFORM)
    travel(DAY + HOUR)
    unlock_payer(world.shop.pk, reason="the audit is over", actor=make.PLATFORM)
    assert outcomes(change) == {world.shop.name: ("Failed", "PayerLocked")}
    move_due()
    assert world.payers()[0] == world.eu.name
