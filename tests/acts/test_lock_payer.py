"""Locking a payer: it stays until it is unlocked, in two steps, and what follows from a suspension goes on."""

from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from billing.models import BillingAccount, BillingAccountBinding, PayerLock
from billing.services.approvals.closures import blockers
from billing.services.bindings import PROJECT_FIELD, relabel_binding
from billing.services.payer_locks import lock_payer, unlock_payer, why_locked
from billing.services.projects import archive_project
from milo.access import Actor
from milo.errors import Forbidden, Invalid
from milo.kube.metadata import Metadata
from projects.models import Organization, Project
from projects.services.projects import ProjectSpec, revise_project
from tests.support import make
from tests.support.ledger import (
    assert_history_explains,
    assert_watchers_see,
    authors,
    causes_of,
    member,
    nobody_in,
    nothing_changes,
    refused,
    revisions,
    shown,
    staff,
)

pytestmark = pytest.mark.django_db
REASON = "regulated workload"
OPERATOR = Actor("user:operator", frozenset({"finance-operator"}))


@pytest.fixture
def bound(project: Project, account: BillingAccount) -> Project:
    make.a_binding(project, account)
    return project


def lock(project: Project, reason: str = REASON, actor: Actor = OPERATOR) -> Project:
    return lock_payer(project.pk, reason=reason, actor=actor)


def unlock(project: Project, actor: Actor = OPERATOR) -> Project:
    return unlock_payer(project.pk, reason="agreed", actor=actor)


def refusal_of(project: Project) -> str:
    day = PayerLock.objects.open().get(project=project).locked_at.date()
    return f"the payer of {project.name} is locked since {day} by operator ({REASON}): unlock it first"


def test_a_lock_is_a_row_with_history_and_a_revision_of_the_project(bound: Project) -> None:
    lock(bound)
    row = PayerLock.objects.get()
    assert (row.project, row.reason, row.locked_by, row.unlocked_at) == (bound, REASON, "user:operator", None)
    responsibility = shown(bound)["status"]["billingResponsibility"]
    assert responsibility["locked"].pop("at").startswith(row.locked_at.date().isoformat())
    assert responsibility["locked"] == {"by": "user:operator", "reason": REASON}
    newest = revisions(bound)[-1]
    assert (newest.type, newest.reason, newest.message) == ("MODIFIED", "PayerLocked", REASON)
    assert authors(row) == {"user:operator"}
    assert_history_explains(row)
    assert_watchers_see(bound)


def test_unlocking_keeps_the_lock_with_who_unlocked_it_and_why(bound: Project) -> None:
    lock(bound)
    unlock(bound)
    row = PayerLock.objects.get()
    assert (row.unlocked_by, row.unlock_reason) == ("user:operator", "agreed")
    assert row.unlocked_at
    assert row.unlocked_at > row.locked_at
    assert "locked" not in shown(bound)["status"]["billingResponsibility"]
    assert revisions(bound)[-1].reason == "PayerUnlocked"
    assert_history_explains(row)
    lock(bound, "again")
    assert PayerLock.objects.count() == 2


def test_a_locked_project_is_bound_to_no_other_account_until_it_is_unlocked(
    bound: Project, organization: Organization
) -> None:
    other = make.a_ready_account(organization)
    lock(bound)
    with refused(Invalid) as refusal:
        make.a_binding(bound, other)
    assert causes_of(refusal) == {PROJECT_FIELD: "FieldValueInvalid"}
    assert refusal_of(bound) in str(refusal.value)
    unlock(bound)
    assert make.a_binding(bound, other).phase == "Active"


def test_the_lock_is_named_together_with_every_other_broken_rule(bound: Project, organization: Organization) -> None:
    account = make.an_incomplete_account(organization)
    lock(bound)
    with refused(Invalid) as refusal:
        make.a_binding(bound, account)
    assert len(causes_of(refusal)) == 2


def test_a_locked_project_is_not_archived_until_it_is_unlocked(bound: Project) -> None:
    lock(bound)
    with refused(Invalid) as refusal:
        archive_project(bound.pk, actor=make.PLATFORM)
    assert str(refusal.value) == refusal_of(bound)
    unlock(bound)
    assert archive_project(bound.pk, actor=make.PLATFORM).phase == Project.Phase.ARCHIVED


def test_a_lock_of_one_project_holds_no_other(bound: Project, organization: Organization) -> None:
    lock(bound)
    other = make.a_project(organization)
    make.a_binding(other, make.a_ready_account(organization))
    make.a_binding(other, make.a_ready_account(organization))
    archive_project(other.pk, actor=make.PLATFORM)
    assert why_locked([bound.pk, other.pk]) == {bound.pk: refusal_of(bound)}


def test_why_is_one_query_for_one_project_or_many(bound: Project, organization: Organization) -> None:
    lock(bound)
    for projects in ([bound.pk], [bound.pk, *range(1000, 1100)]):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert set(why_locked(projects)) == {bound.pk}
        assert len(queries) == 1


def test_a_bind_asks_no_query_more_for_the_lock(project: Project, organization: Organization) -> None:
    make.a_binding(project, make.a_ready_account(organization))
    account = make.a_ready_account(organization)
    with CaptureQueriesContext(connection) as queries:
        make.a_binding(project, account)
    assert sum("payerlock" in query["sql"] for query in queries if query["sql"].startswith("SELECT")) <= 2


def test_suspension_and_what_follows_from_it_go_on(bound: Project, account: BillingAccount) -> None:
    lock(bound)
    make.in_phase(account, "Suspended")
    assert_watchers_see(account)
    (binding,) = BillingAccountBinding.objects.paying()
    relabel_binding(binding.pk, Metadata({"tier": "gold"}), actor=make.PLATFORM)
    revise_project(bound.pk, ProjectSpec("Renamed"), actor=make.PLATFORM)
    assert shown(bound)["status"]["billingResponsibility"]["locked"]["reason"] == REASON


def test_a_closure_is_blocked_by_the_project_and_told_to_unlock_it(bound: Project, account: BillingAccount) -> None:
    (before,) = blockers(account)
    lock(bound)
    (blocker,) = blockers(account)
    assert (blocker.type, blocker.name, blocker.message) == (before.type, before.name, before.message)
    assert blocker.fix == f"{refusal_of(bound)}; {before.fix}"
    assert blocker.who == "billing-admin, finance-operator"


@pytest.mark.parametrize("reason", ["", " \n"])
def test_locking_and_unlocking_need_a_reason(bound: Project, reason: str) -> None:
    with refused(Invalid) as refusal:
        lock(bound, reason)
    assert causes_of(refusal) == {"spec.reason": "FieldValueRequired"}
    lock(bound)
    with refused(Invalid) as refusal:
        unlock_payer(bound.pk, reason=reason, actor=OPERATOR)
    assert causes_of(refusal) == {"spec.reason": "FieldValueRequired"}


def test_a_reason_holds_no_card_number(bound: Project) -> None:
    with refused(Invalid):
        lock(bound, "paid by 4111 1111 1111 1111")


def test_what_nobody_pays_for_is_not_locked(project: Project) -> None:
    with refused(Invalid, f"nobody pays for project {project.name}: bind it first"):
        lock(project)
    archive_project(project.pk, actor=make.PLATFORM)
    with refused(Invalid, f"project {project.name} is archived"):
        lock(project)


def test_a_lock_is_set_once_and_taken_off_once(bound: Project) -> None:
    with refused(Invalid, f"the payer of {bound.name} is not locked"):
        unlock(bound)
    lock(bound)
    with refused(Invalid) as refusal:
        lock(bound, "another reason")
    assert str(refusal.value) == refusal_of(bound)


@pytest.mark.parametrize(
    "actor",
    [
        lambda pk: member(pk, "billing-user"),
        lambda pk: member(pk, "billing-viewer"),
        nobody_in,
        lambda pk: staff("auditor", "finance-approver", "usage-reporter", "charge-reporter"),
    ],
    ids=["user", "viewer", "of another organization", "other staff"],
)
def test_nobody_else_locks_or_unlocks(bound: Project, actor: Any) -> None:
    with refused(Forbidden):
        lock(bound, actor=actor(bound.organization_id))
    lock(bound, actor=member(bound.organization_id, "billing-admin"))
    with refused(Forbidden):
        unlock(bound, actor=actor(bound.organization_id))
    unlock(bound, actor=member(bound.organization_id, "billing-admin"))


def test_who_has_not_asked_for_the_lock_is_refused_by_the_database(
    bound: Project, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a version before, which knows no locks, would do beside this one."""
    lock(bound)
    account = make.a_ready_account(organization)
    monkeypatch.setattr("billing.services.bindings._causes", lambda *asked: [])
    monkeypatch.setattr("billing.services.projects.refuse_locked", lambda project: None)
    for act in (partial(make.a_binding, bound, account), partial(archive_project, bound.pk, actor=OPERATOR)):
        with nothing_changes(), pytest.raises(IntegrityError, match="binding_not_ended_while_locked"):
            act()
