"""Payer changes in bulk: the number of queries does not grow with that of projects, and others hardly wait."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import PayerChange, PayerChangeItem
from billing.services.payer_changes import facts
from billing.services.payer_changes.cancellations import cancel
from billing.services.payer_changes.retries import retry
from billing.services.usage import locks
from projects.models import Project
from tests.support import make
from tests.support.ledger import assert_history_explains, assert_timeline, assert_watchers_see
from tests.support.payer_changes import DAY, Travel, World, a_payer_change, outcomes, travel
from tests.support.usage import an_event, assert_rollup_is_a_recount, taken

__all__ = ["travel"]
pytestmark = pytest.mark.django_db
FEW, MANY = 2, 7


def more_projects(world: World, count: int) -> list[Project]:
    """Return new projects: `eu` pays for the first half of them, nobody for the others."""
    projects = [make.a_project(world.organization) for _ in range(2 * count)]
    for project in projects[:count]:
        make.a_binding(project, world.eu)
    return projects


def queries(act: object, *arguments: object, **named: object) -> int:
    assert callable(act)
    with CaptureQueriesContext(connection) as captured:
        act(*arguments, **named)
    return len(captured)


@pytest.mark.parametrize("used", [False, True])
def test_a_batch_takes_as_many_queries_for_many_projects_as_for_few(*, used: bool) -> None:
    world, counted = World(), []
    for count in (FEW, MANY):
        projects = more_projects(world, count)
        change = a_payer_change(world.emea, *projects, effective_at=None)
        if used:
            taken(*(an_event(project, time=timezone.now() + timedelta(seconds=1)) for project in projects))
        counted.append(queries(facts.move_batch, change.pk))
        assert set(outcomes(change).values()) == {("Done", "")}
        for project in projects:
            binding = assert_timeline(project)[-1]
            assert (binding.account_id, binding.established_at) == (world.emea.pk, change.effective_at)
            for row in (project, *project.bindings.all()):
                assert_watchers_see(row)
                assert_history_explains(row)
    assert_rollup_is_a_recount()
    assert counted[0] == counted[1]


def test_creating_cancelling_and_retrying_take_as_many_queries_for_many_projects_as_for_few(travel: Travel) -> None:
    world, counted = World(), []
    make.in_phase(world.emea, "Incomplete")
    for count in (FEW, MANY):
        projects, reason = more_projects(world, count), {"reason": "put off", "actor": make.PLATFORM}
        created = queries(a_payer_change, world.emea, *projects)
        change = PayerChange.objects.latest("pk")
        travel(2 * DAY)
        facts.move_due()
        retried = queries(retry, change.pk, **reason)
        counted.append((created, retried, queries(cancel, change.pk, **reason)))
        assert set(outcomes(change).values()) == {("Cancelled", "Cancelled")}
    assert counted[0] == counted[1]


def test_projects_of_one_usage_lock_move_together_so_that_others_hardly_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "BATCH", 2)
    monkeypatch.setattr(locks, "BUCKETS", 2)
    world = World()
    projects = [*world.projects, *more_projects(world, 2)]
    by_lock = [[each.pk for each in projects if each.pk % 2 == rest] for rest in (0, 1)]
    assert all(len(each) >= 3 for each in by_lock)
    change = a_payer_change(world.emea, *projects, effective_at=None)
    facts.move_batch(change.pk)
    done = PayerChangeItem.objects.filter(change=change, phase=PayerChangeItem.Phase.DONE)
    assert set(done.values_list("project", flat=True)) == set(by_lock[0][:2])
    facts.move_due()
    assert set(outcomes(change).values()) == {("Done", "")}
