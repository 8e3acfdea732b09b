"""Acts before which payer changes are due, in the one transaction of an Idempotency-Key or If-Match: none deadlocks.

The fixture `lock_order` looks at the locks of each transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection

from billing.models import PayerChange
from billing.services.payer_changes import facts
from billing.services.suspensions import resolve
from projects.models import Project
from tests.api.access_matrix import OPERATOR
from tests.api.client import ACCOUNTS, BILLING, Api
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.interleaving import started
from tests.support.ledger import assert_timeline
from tests.support.payer_changes import a_payer_change, outcomes

pytestmark = pytest.mark.django_db(transaction=True)
SUSPEND = {"spec": {"reasonCode": "ManualReview", "message": "under review"}}
PAYER_CHANGES = f"{BILLING}/namespaces/acme-corp/payerchanges"
REQUESTS = f"{BILLING}/namespaces/acme-corp/approvalrequests"


class World:
    """Account `eu` pays for two projects. Two due changes move them, the one with the higher key first."""

    def __init__(self) -> None:
        self.organization = make.an_organization("acme-corp")
        self.below, self.eu, self.emea, self.third = (
            make.a_ready_account(self.organization, name) for name in ("below", "eu", "emea", "third")
        )
        an_affiliation(self.below, self.eu)
        self.projects = [make.a_project(self.organization, name) for name in ("shop", "search")]
        for project in self.projects:
            make.a_binding(project, self.eu)
        self.changes: list[PayerChange] = []

    def becomes_due(self) -> None:
        first, second = self.projects
        self.changes = [
            a_payer_change(self.emea, second, effective_at=None),
            a_payer_change(self.third, first, effective_at=None),
        ]

    def moved(self) -> bool:
        return all(set(outcomes(change).values()) == {("Done", "")} for change in self.changes)


@dataclass(frozen=True)
class Act:
    """An act on `eu`: its address and its body, and what is done before."""

    path: str
    body: dict[str, Any]
    before: Callable[[World], object] = lambda _world: None


def suspended(world: World) -> None:
    make.in_phase(world.eu, "Suspended")
    uid = world.eu.suspensions.get().uid
    resolve(world.eu.pk, uid, evidence={"reviewer": "operator", "note": "all is well"}, actor=make.PLATFORM)


def of_kind(kind: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "billing.milo.io/v1alpha1", "kind": kind, "metadata": {"name": "new"}, "spec": spec}


ACTS = {
    "suspend": Act(f"{ACCOUNTS}/eu/suspend", SUSPEND),
    "closeusage": Act(f"{ACCOUNTS}/eu/closeusage", {"spec": {"month": "2024-01", "reason": "invoiced"}}),
    "move all": Act(
        PAYER_CHANGES,
        of_kind(
            "PayerChange", fromAccountRef={"name": "eu"}, toAccountRef={"name": "third"}, reason="the office moves"
        ),
        lambda world: make.a_binding(make.a_project(world.organization), world.eu),
    ),
    "request Reactivate": Act(
        REQUESTS,
        of_kind(
            "ApprovalRequest", billingAccountRef={"name": "eu"}, action="Reactivate", justification="all is well again"
        ),
        suspended,
    ),
}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def operator() -> User:
    return make.a_person(OPERATOR, groups=(OPERATOR,))


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "plain"])
@pytest.mark.parametrize("act", ACTS)
def test_what_is_due_of_an_account_is_a_fact_before_the_act_locks(
    world: World, operator: User, act: str, keyed: bool
) -> None:
    ACTS[act].before(world)
    world.becomes_due()
    headers = {"idempotency_key": str(uuid4())} if keyed else {}
    answer = Api.of(operator).post(ACTS[act].path, ACTS[act].body, **headers)
    assert answer.code in (200, 201), answer.raw
    assert world.moved()
    if keyed:
        again = Api.of(operator).post(ACTS[act].path, ACTS[act].body, **headers)
        assert (again.raw, again.headers["Idempotency-Replayed"]) == (answer.raw, "true")


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "plain"])
def test_what_is_due_is_a_fact_before_an_approval_locks(world: World, keyed: bool) -> None:
    suspended(world)
    request = make.a_request(world.eu, "Reactivate")
    world.becomes_due()
    headers = {"idempotency_key": str(uuid4())} if keyed else {}
    body = {"spec": {"reviewedHash": request.reviewed_hash}}
    approver = Api.of(make.a_person(groups=("finance-approver",)))
    approver.post(f"{REQUESTS}/{request.name}/approve", body, **headers).done()
    assert world.moved()


@pytest.mark.parametrize("act", ["suspend", "closeusage"])
def test_what_is_due_changes_the_object_that_if_match_names(world: World, operator: User, act: str) -> None:
    """It is a fact then, so that the act meets an object that nobody has seen."""
    api = Api.of(operator)
    seen = api.get(f"{ACCOUNTS}/eu").headers["ETag"]
    world.becomes_due()
    api.post(ACTS[act].path, ACTS[act].body, if_match=seen).refused(412, "PreconditionFailed")
    facts.move_due()
    newest = api.get(f"{ACCOUNTS}/eu").headers["ETag"]
    api.post(ACTS[act].path, ACTS[act].body, if_match=newest).done()
    assert world.moved()


def test_a_dry_run_makes_nothing_a_fact(world: World, operator: User) -> None:
    world.becomes_due()
    Api.of(operator).post(f"{ACCOUNTS}/eu/suspend?dryRun=All", SUSPEND, idempotency_key=str(uuid4()))
    assert all(change.items.get().phase == "Pending" for change in world.changes)


def test_a_bind_beside_a_suspension_before_which_two_changes_are_due(
    world: World, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bind of the project that moves last had its lock, and waited for the account; the suspension for both."""
    world.becomes_due()
    first, _second = world.projects
    move = facts.move_batch
    binds: list[Callable[[], object]] = []

    def moved(change_id: int) -> int:
        count = move(change_id)
        if not binds:
            binds.append(started(partial(make.a_binding, first, world.emea)))
        return count

    monkeypatch.setattr(facts, "move_batch", moved)
    Api.of(operator).post(f"{ACCOUNTS}/eu/suspend", SUSPEND, idempotency_key=str(uuid4())).done()
    if connection.vendor == "postgresql":
        assert not isinstance(binds[0](), Exception)
    assert assert_timeline(Project.objects.get(pk=first.pk))[-1].account_id == world.emea.pk
