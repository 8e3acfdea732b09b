"""A binding that a wrong clock has dated in the future begins now, once a second person approves it."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import pairwise
from time import sleep
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding, Notice
from billing.notice_texts import render
from billing.services.approvals.decisions import StaleReview
from billing.services.approvals.requests import renew
from billing.services.continuity import breaks
from billing.services.past import Payer, payer_at
from billing.services.payer_changes.facts import move_due
from billing.services.payer_locks import lock_payer, unlock_payer
from billing.services.projects import archive_project
from milo import clock
from milo.clock import ClockWrong
from milo.errors import Forbidden, Invalid, Refused
from milo.ledger import seals
from milo.ledger.verification import verify
from projects.models import Project
from tests.attacks.machinery import update
from tests.support import make, world_clock
from tests.support.clock import Travel, travelling
from tests.support.ledger import assert_history_explains, causes_of, nothing_changes, refused, shown, steps
from tests.support.make import approve
from tests.support.payer_changes import a_payer_change
from tests.support.threads import at_once
from tests.support.usage import an_event, assert_rollup_is_a_recount, paid, rollup, taken

pytestmark = pytest.mark.django_db
DAYS, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
__all__ = ["travelling"]
PROJECT, ACCOUNT = "spec.proposal.project", "spec.billingAccountRef.name"


@pytest.fixture
def handover(project: Project, account: BillingAccount, travelling: Travel) -> BillingAccountBinding:
    """A binding 15 days ahead, in place of one that pays since today."""
    make.a_binding(project, make.a_ready_account(project.organization, "payer-before"))
    with travelling(15 * DAYS):
        return make.a_binding(project, account)


def asked(account: Any, project: Any, **request: Any) -> ApprovalRequest:
    return make.a_request(account, "RedateBindings", proposal={"project": str(project)}, **request)


def line(project: Project) -> list[BillingAccountBinding]:
    return list(BillingAccountBinding.objects.timeline(project))


def assert_who_pays_now_is_bound(project: Project) -> None:
    """Nothing begins or ends in the future, without a gap, and history says how it came about."""
    now = timezone.now()
    bound = BillingAccountBinding.objects.paying().filter(project=project).first()
    assert payer_at(project, now) == (Payer(bound) if bound else None)
    assert not BillingAccountBinding.objects.ahead(now).filter(project=project).exists()
    assert all(before.ended_at == after.established_at for before, after in pairwise(line(project)))
    assert list(breaks()) == []
    for binding in line(project):
        assert_history_explains(binding)


def test_the_binding_and_the_one_before_it_meet_at_the_present(handover: BillingAccountBinding) -> None:
    project, future, asked_at = handover.project, handover.established_at, timezone.now()
    request = asked(handover.account, project)
    assert [(it["name"], it["endedAt"] is None) for it in request.reviewed["bindings"]] == [
        (line(project)[0].name, False),
        (handover.name, True),
    ]
    make.approve(request.pk, actor=make.APPROVER)
    assert_who_pays_now_is_bound(project)
    before, after = line(project)
    assert asked_at < after.established_at < future
    assert (before.phase, after.phase) == ("Superseded", "Active")
    # the history has both instants, with the approval that allowed the second
    assert [row.established_at for row in after.history.order_by("history_id")] == [future, after.established_at]
    assert after.history.latest("history_id").history_approval == request.uid
    instants = f"{after.established_at:%Y-%m-%dT%H:%M:%S.%f}+00:00"
    assert steps(after)[1] == ("Active", f"Redated: established at {instants}: the clock was wrong")
    assert (
        shown(after)["status"]["billingResponsibility"]["establishedAt"]
        == f"{after.established_at:%Y-%m-%dT%H:%M:%S.%f}Z"
    )
    # for good: the next handover is an ordinary one
    make.a_binding(project, before.account)
    assert_who_pays_now_is_bound(project)


def test_the_ledger_verifies_and_names_what_no_decision_explains(
    handover: BillingAccountBinding, travelling: Travel
) -> None:
    seals.seal()
    table = BillingAccountBinding.history.model._meta.db_table
    late = [(table, "is dated after its seal")]
    assert [(fault.table, fault.message) for fault in verify().faults] == late
    make.approve(asked(handover.account, handover.project).pk, actor=make.APPROVER)
    seals.seal()
    assert verify().faults == []
    other = make.a_project(handover.organization)
    with travelling(15 * DAYS):
        make.a_binding(other, handover.account)
    seals.seal()
    assert [(fault.table, fault.message) for fault in verify().faults] == late


def test_every_handover_in_the_future_keeps_its_place(handover: BillingAccountBinding, travelling: Travel) -> None:
    project = handover.project
    make.a_binding(project, line(project)[0].account)  # a microsecond after the one that is ahead
    with travelling(16 * DAYS):
        newest = make.a_binding(project, handover.account)
    payers = [binding.account for binding in line(project)]
    make.approve(asked(newest.account, project).pk, actor=make.APPROVER)
    assert_who_pays_now_is_bound(project)
    first, *others = line(project)
    assert [binding.account for binding in (first, *others)] == payers
    assert first.ended_at
    assert [it.established_at - first.ended_at for it in others] == [number * MICROSECOND for number in range(3)]


def test_a_first_binding_and_the_end_of_an_archived_project_are_redated(
    project: Project, account: BillingAccount, travelling: Travel
) -> None:
    with travelling(15 * DAYS):
        make.a_binding(project, account)
    make.approve(asked(account, project).pk, actor=make.APPROVER)
    assert_who_pays_now_is_bound(project)
    other = make.a_project(project.organization)
    ended = make.a_binding(other, account)
    with travelling(15 * DAYS):
        archive_project(other.pk, actor=make.PLATFORM)
    assert payer_at(other, timezone.now()) == Payer(ended)
    make.approve(asked(account, other).pk, actor=make.APPROVER)
    assert_who_pays_now_is_bound(other)
    [ended] = line(other)
    assert (ended.phase, ended.end_reason) == ("Ended", "ProjectArchived")


def test_usage_follows_who_pays(handover: BillingAccountBinding) -> None:
    before, after = (binding.account for binding in line(handover.project))
    now = timezone.now()
    taken(an_event(handover.project, "1", time=now), an_event(handover.project, "2", time=now + timedelta(minutes=3)))
    assert [paid(rollup(), account) for account in (before, after)] == [3, 0]
    make.approve(asked(after, handover.project).pk, actor=make.APPROVER)
    assert [paid(rollup(), account) for account in (before, after)] == [1, 2]
    assert_rollup_is_a_recount()


def test_what_was_known_before_stays(handover: BillingAccountBinding) -> None:
    project, future = handover.project, handover.established_at
    before = line(project)[0]
    make.approve(asked(handover.account, project).pk, actor=make.APPROVER)
    now = timezone.now()
    # the wrong clock wrote at this instant, and who approved a microsecond later
    assert payer_at(project, now, known_at=future) == Payer(before)
    assert payer_at(project, future, known_at=future) == Payer(handover)
    assert payer_at(project, now, known_at=future + MICROSECOND) == Payer(handover)
    assert payer_at(project, before.established_at, known_at=future + MICROSECOND) == Payer(before)


def test_who_asked_does_not_approve_and_a_second_request_waits(handover: BillingAccountBinding) -> None:
    request = asked(handover.account, handover.project)
    with refused(Forbidden):
        approve(request.pk, actor=make.REQUESTER)
    with refused(Invalid) as caught:
        asked(handover.account, handover.project)
    assert causes_of(caught) == {PROJECT: "FieldValueDuplicate"}


def test_a_timeline_that_has_changed_is_reviewed_again(handover: BillingAccountBinding) -> None:
    request, project = asked(handover.account, handover.project), handover.project
    first = line(project)[0].account
    make.a_binding(project, first)
    make.a_binding(project, handover.account)
    with refused(StaleReview) as caught:
        approve(request.pk, actor=make.APPROVER)
    assert set(causes_of(caught)) == {"reviewed.bindings"}
    renew(request.pk, actor=make.REQUESTER)
    approve(request.pk, actor=make.APPROVER)
    assert_who_pays_now_is_bound(project)


def test_what_has_begun_meanwhile_is_not_redated(handover: BillingAccountBinding, travelling: Travel) -> None:
    with travelling(15 * DAYS - timedelta(minutes=5)):
        request = asked(handover.account, handover.project)
    with travelling(15 * DAYS - timedelta(seconds=30)):
        with refused(Invalid) as caught:
            approve(request.pk, actor=make.APPROVER)
        assert "within a minute" in caught.value.causes[0].message
    with travelling(15 * DAYS + timedelta(minutes=1)), refused(StaleReview):
        approve(request.pk, actor=make.APPROVER)


def test_what_cannot_be_redated_is_refused_at_its_field(handover: BillingAccountBinding, travelling: Travel) -> None:
    account, project = handover.account, handover.project
    before = line(project)[0].account
    present = make.a_binding(make.a_project(project.organization), account).project
    foreign = make.a_project(make.an_organization())
    for who, what, field in [
        (account, "nothing", PROJECT),
        (account, foreign, PROJECT),
        (account, present, PROJECT),
        (before, project, ACCOUNT),
    ]:
        with refused(Invalid) as caught:
            asked(who, what)
        assert set(causes_of(caught)) == {field}
    with travelling(timedelta(seconds=40)):
        soon = make.a_binding(make.a_project(project.organization), account).project
    with refused(Invalid) as caught:
        asked(account, soon)
    assert "within a minute" in caught.value.causes[0].message
    make.in_phase(before, "Closed")
    BillingAccount.objects.filter(pk=before.pk).update(phase="Archived", archived_at=timezone.now())
    with refused(Invalid) as caught:
        asked(account, project)
    assert "payer-before, which paid before, is archived" in caught.value.causes[0].message


def test_the_payer_of_a_locked_project_is_not_moved(handover: BillingAccountBinding) -> None:
    request, project = asked(handover.account, handover.project), handover.project
    lock_payer(project.pk, reason="regulated workload", actor=make.PLATFORM)
    with refused(Invalid) as caught:
        approve(request.pk, actor=make.APPROVER)
    assert set(causes_of(caught)) == {PROJECT}
    assert "unlock it first" in caught.value.causes[0].message
    unlock_payer(project.pk, reason="agreed", actor=make.PLATFORM)
    approve(request.pk, actor=make.APPROVER)
    assert_who_pays_now_is_bound(project)


def test_a_process_with_a_wrong_clock_redates_nothing(handover: BillingAccountBinding, travelling: Travel) -> None:
    request = asked(handover.account, handover.project)
    with world_clock.stay(), travelling(-2 * clock.TOLERANCE), nothing_changes(), pytest.raises(ClockWrong):
        approve(request.pk, actor=make.APPROVER)


def test_the_notice_names_the_project(handover: BillingAccountBinding) -> None:
    make.a_person("second", groups=("finance-approver",), email="approver@milo.example")
    asked(handover.account, handover.project)
    notice = Notice.objects.get(about="AwaitingDecision")
    for language, words in (("en", "Bindings of project"), ("de", "Bindungen des Projekts")):
        text = render(notice.about, notice.context, account=handover.account, language=language)
        assert f"{words} {handover.project.name}" in text.plain
        assert f"{words} {handover.project.name}" in text.html


@pytest.fixture
def decided(handover: BillingAccountBinding) -> list[BillingAccountBinding]:
    """Bindings that an approved request names, as in the transaction of the approval before its effect."""
    request = asked(handover.account, handover.project)
    update(request, phase="Approved", decider="user:approver", decided_at=timezone.now())
    return line(handover.project)


def redated(before: BillingAccountBinding, after: BillingAccountBinding, at: Any) -> None:
    update(before, ended_at=at)
    update(after, established_at=at)


def refuses(guard: str, *binding: BillingAccountBinding, **columns: Any) -> None:
    with nothing_changes(), pytest.raises(IntegrityError, match=guard), transaction.atomic():
        update(*binding, **columns)


def test_by_sql_nothing_moves_without_a_decision(handover: BillingAccountBinding) -> None:
    before, after = line(handover.project)
    request = asked(handover.account, handover.project)
    now = timezone.now()
    refuses("binding_end_fixed", before, ended_at=now)
    with nothing_changes(), pytest.raises(DatabaseError, match="binding_start"), transaction.atomic():
        update(after, established_at=now)
    update(request, phase="Rejected", decider="user:approver", decided_at=now, comment="no")
    refuses("binding_end_fixed", before, ended_at=now)


def test_by_sql_a_decision_moves_what_it_names_to_the_present_alone(
    decided: list[BillingAccountBinding], travelling: Travel
) -> None:
    before, after = decided
    now = timezone.now()
    for at in (now - timedelta(hours=1), now + timedelta(hours=1), after.established_at + DAYS):
        refuses("binding_end_fixed|_not_ahead", before, ended_at=at)
    refuses("binding_end_fixed|binding_ended_unless_active", before, ended_at=now, phase="Active")
    refuses("binding_end_fixed", before, ended_at=now, end_reason="Forgotten")
    refuses("binding_identity_fixed", after, account=before.account)
    refuses("binding_start_in_line", after, established_at=now)  # the one before it has not ended yet
    other = make.a_project(after.organization)
    with travelling(15 * DAYS):
        foreign = make.a_binding(other, after.account)
    refuses("binding_start_fixed", foreign, established_at=now)
    redated(before, after, now)
    after.refresh_from_db()
    assert after.established_at == now


def test_by_sql_a_decision_moves_a_binding_once(decided: list[BillingAccountBinding]) -> None:
    before, after = decided
    redated(before, after, timezone.now())
    again = timezone.now()
    refuses("binding_end_fixed", before, ended_at=again)
    refuses("binding_start", after, established_at=again)


@pytest.mark.django_db(transaction=True)
def test_of_an_approval_and_another_handover_at_once_neither_leaves_a_gap(handover: BillingAccountBinding) -> None:
    project, third = handover.project, make.a_ready_account(handover.organization)
    request = asked(handover.account, project)
    acts: list[Callable[[], Any]] = [
        partial(approve, request.pk, actor=make.APPROVER),
        partial(make.a_binding, project, third),
    ]
    outcomes = at_once(acts)
    assert isinstance(outcomes[1], BillingAccountBinding), outcomes
    if isinstance(outcomes[0], Refused):
        assert type(outcomes[0]) is StaleReview
        assert list(breaks()) == []
        assert len(line(project)) == 3
    else:
        assert_who_pays_now_is_bound(project)


@pytest.mark.django_db(transaction=True)
def test_of_two_approvals_at_once_one_takes_effect(handover: BillingAccountBinding) -> None:
    request = asked(handover.account, handover.project)
    outcomes = at_once([partial(approve, request.pk, actor=make.APPROVER)] * 2)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ApprovalRequest", "Conflict"]
    assert_who_pays_now_is_bound(handover.project)


def test_a_plan_that_is_due_comes_before_the_redating(
    project: Project, account: BillingAccount, handover: BillingAccountBinding
) -> None:
    soon = timezone.now() + timedelta(milliseconds=500)
    change = a_payer_change(make.a_ready_account(project.organization), project, effective_at=soon)
    request = asked(account, project)
    sleep(max(0, (soon - timezone.now()).total_seconds()) + 0.01)
    approve(request.pk, actor=make.APPROVER)
    assert_who_pays_now_is_bound(project)
    change.refresh_from_db()
    assert (change.phase, change.items.get().reason) == ("Failed", "PayerChangedSince")


def test_a_plan_for_later_stands_when_bindings_are_redated(
    project: Project, account: BillingAccount, handover: BillingAccountBinding, travelling: Travel
) -> None:
    planned = make.a_ready_account(project.organization)
    change = a_payer_change(planned, project)
    # the binding of the wrong clock begins after the plan
    assert handover.established_at > change.effective_at
    approve(asked(account, project).pk, actor=make.APPROVER)
    assert_who_pays_now_is_bound(project)
    with travelling(2 * DAYS):
        move_due()
        present = payer_at(project, timezone.now())
    assert present
    assert present.account == planned
    assert present.binding
    assert present.binding.established_at == change.effective_at
