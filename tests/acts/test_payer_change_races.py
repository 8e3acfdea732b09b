"""Due items against other acts at the same moment: each project moves once, at its instant, and nobody deadlocks."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db import connection
from django.utils import timezone

from billing.models import BillingAccount, Notice, PayerChange, PayerChangeItem
from billing.services.payer_changes import facts
from billing.services.payer_changes.cancellations import cancel
from billing.services.payer_changes.facts import move_due
from billing.services.payer_changes.retries import retry
from billing.services.payer_locks import lock_payer
from billing.services.projects import archive_project
from billing.services.suspensions import suspend
from milo.errors import Invalid, Unavailable
from projects.models import Project
from tests.support import make
from tests.support.interleaving import side_by_side, then
from tests.support.ledger import assert_history_explains, assert_timeline, assert_watchers_see
from tests.support.payer_changes import a_payer_change, outcomes
from tests.support.threads import Outcome, at_once

pytestmark = pytest.mark.django_db(transaction=True)
RACES = 8


def soon() -> datetime:
    return timezone.now() + timedelta(seconds=0.3)


class World:
    """Accounts `eu`, which pays for all projects, `emea` and `third`."""

    def __init__(self, count: int = RACES) -> None:
        self.organization = make.an_organization()
        self.eu, self.emea, self.third = (make.a_ready_account(self.organization) for _ in range(3))
        self.projects = [make.a_project(self.organization) for _ in range(count)]
        for project in self.projects:
            make.a_binding(project, self.eu)

    def planned_now(self, project: Project) -> PayerChange:
        return a_payer_change(self.emea, project, effective_at=None)


def settled(outcome: Sequence[Outcome]) -> bool:
    """Whether neither call failed otherwise than by a refusal."""
    return all(not isinstance(each, Exception) or isinstance(each, Invalid | Unavailable) for each in outcome)


RIVALS: dict[str, Callable[[World, Project], object]] = {
    "bind": lambda world, project: make.a_binding(project, world.third),
    "archive": lambda world, project: archive_project(project.pk, actor=make.PLATFORM),
    "lock": lambda world, project: lock_payer(project.pk, reason="regulated workload", actor=make.PLATFORM),
    "second worker": lambda world, project: facts.move_batch(PayerChangeItem.objects.get(project=project).change_id),
    "another plan": lambda world, project: a_payer_change(world.third, project),
}


@pytest.mark.parametrize("rival", RIVALS)
def test_a_due_item_races(rival: str) -> None:
    """Whoever comes first, the item is a fact first, and begins at its instant."""
    world = World()
    changes = [world.planned_now(project) for project in world.projects]
    acts: list[list[Callable[[], object]]] = [
        [partial(facts.move_batch, change.pk), partial(RIVALS[rival], world, project)]
        for change, project in zip(changes, world.projects, strict=True)
    ]
    for change, project, outcome in zip(changes, world.projects, [at_once(pair) for pair in acts], strict=True):
        assert settled(outcome), outcome
        timeline = assert_timeline(project)
        assert timeline[1].account_id == world.emea.pk
        assert timeline[1].established_at == change.effective_at
        assert len(timeline) == (3 if rival == "bind" else 2)
        assert outcomes(change) == {project.name: ("Done", "")}
        change.refresh_from_db()
        assert change.phase == PayerChange.Phase.COMPLETED
        assert_watchers_see(change)
        assert_history_explains(change)


def test_a_due_item_races_its_cancellation_and_either_wins() -> None:
    world = World()
    changes = [world.planned_now(project) for project in world.projects]
    acts: list[list[Callable[[], object]]] = [
        [partial(facts.move_batch, change.pk), partial(cancel, change.pk, reason="put off", actor=make.PLATFORM)]
        for change in changes
    ]
    for change, project, outcome in zip(changes, world.projects, [at_once(pair) for pair in acts], strict=True):
        assert settled(outcome), outcome
        change.refresh_from_db()
        moved = len(assert_timeline(project)) == 2
        assert (change.phase, change.done, change.cancelled) == (("Completed", 1, 0) if moved else ("Cancelled", 0, 1))
        assert_watchers_see(change)


def test_a_due_item_races_the_suspension_of_its_target() -> None:
    world = World(2)
    change = a_payer_change(world.emea, *world.projects, effective_at=None)
    suspended = partial(suspend, world.emea.pk, reason_code="ManualReview", message="x", actor=make.PLATFORM)
    outcome = side_by_side(partial(facts.move_batch, change.pk), suspended)
    assert settled(outcome), outcome
    change.refresh_from_db()
    phases = {phase for phase, _reason in outcomes(change).values()}
    assert phases in ({"Done"}, {"Failed"})
    assert all(len(assert_timeline(project)) == (2 if phases == {"Done"} else 1) for project in world.projects)


@pytest.mark.parametrize("moves", ["plan", "retry"])
def test_a_suspension_of_the_present_payer_comes_before_a_move_at_once_or_after_it(moves: str) -> None:
    """Else the move began before the suspension, which had told the people of a project that the account had left."""
    world = World(1)
    (project,) = world.projects
    move: Callable[[], object] = partial(world.planned_now, project)
    if moves == "retry":
        make.in_phase(world.emea, "Incomplete")
        change = a_payer_change(world.emea, project, effective_at=soon())
        while timezone.now() <= change.effective_at:
            time.sleep(0.01)
        move_due()
        BillingAccount.objects.filter(pk=world.emea.pk).update(phase="Ready")
        move = partial(retry, change.pk, reason="it is Ready again", actor=make.PLATFORM)
    suspended = partial(suspend, world.eu.pk, reason_code="ManualReview", message="x", actor=make.PLATFORM)
    outcome = then(move, suspended)
    assert isinstance(outcome, Unavailable), "it is told to try again, for the project has left"
    suspended()
    assert not Notice.objects.filter(about=Notice.About.SUSPENDED, project=project).exists()
    begun, suspension = assert_timeline(project)[-1].established_at, world.eu.suspensions.get().suspended_at
    assert begun < suspension


def test_a_bind_that_waits_for_a_plan_is_refused_by_it() -> None:
    world = World(1)
    (project,) = world.projects
    refusal = then(lambda: a_payer_change(world.emea, project), partial(make.a_binding, project, world.third))
    assert isinstance(refusal, Invalid)
    assert "moves to" in str(refusal)


def test_a_plan_that_waits_for_an_archive_is_refused_by_it() -> None:
    world = World(1)
    (project,) = world.projects
    refusal = then(
        lambda: archive_project(project.pk, actor=make.PLATFORM), partial(a_payer_change, world.emea, project)
    )
    assert isinstance(refusal, Invalid)
    assert not PayerChangeItem.objects.exists()


def test_two_opposite_moves_in_batches_at_once_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "BATCH", 3)
    world = World(12)
    theirs = world.projects[::2]
    for project in theirs:
        make.a_binding(project, world.emea)
    away = a_payer_change(world.emea, source=world.eu.name, effective_at=None)
    back = a_payer_change(world.eu, *theirs, effective_at=None)
    done = at_once([move_due, move_due, move_due])
    assert not [each for each in done if isinstance(each, Exception)]
    for change in (away, back):
        change.refresh_from_db()
        assert (change.phase, change.done) == ("Completed", 6)
        assert_watchers_see(change)
    for project in world.projects:
        assert assert_timeline(project)[-1].account_id == (world.eu.pk if project in theirs else world.emea.pk)


def test_an_atomic_change_is_not_waited_for_out_of_order() -> None:
    """A bind of one of its projects, while another transaction holds another, is told to try again."""
    world = World(2)
    a_payer_change(world.emea, *world.projects, effective_at=None, atomic=True)
    first, second = world.projects
    refusal = then(
        lambda: list(Project.objects.locked().filter(pk=first.pk)), partial(make.a_binding, second, world.third)
    )
    if connection.vendor == "sqlite":  # its single writer waits
        assert not isinstance(refusal, Exception)
    else:
        assert isinstance(refusal, Unavailable)
    make.a_binding(first, world.third)
    assert len(assert_timeline(first)) == 3
