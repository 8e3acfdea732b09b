"""WillTakeEffect says what a bind of each project would say now, at the cost of a few queries."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import Notice, PayerChange, PayerChangeItem, PayerLock
from billing.notice_texts import render
from billing.services.payer_changes.conditions import foresee, refusals, remind
from billing.services.payer_changes.facts import move_due
from billing.services.payer_changes.previews import preview_of_change
from billing.services.payer_changes.retries import retry
from billing.services.payer_locks import lock_payer, unlock_payer
from milo.kube.kinds import kind_of
from tests.support import make
from tests.support.ledger import revisions, shown
from tests.support.payer_changes import DAY, Travel, World, a_payer_change, outcomes, travel

__all__ = ["travel"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


def condition(change: PayerChange) -> tuple[str, str, str]:
    (will, _complete) = shown(change)["status"]["conditions"]
    assert will["type"] == "WillTakeEffect"
    return will["status"], will["reason"], will["message"]


def locked(world: World) -> None:
    lock_payer(world.shop.pk, reason="regulated workload", actor=make.PLATFORM)


def bound_to_it(world: World) -> None:
    """As a version before, which knows no plans, could bind it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("billing.services.payer_changes.plans.open_item", lambda _project: None)
        make.a_binding(world.shop, world.emea)


def bound_later(world: World) -> None:
    """As a process with a wrong clock could bind it."""
    now = timezone.now
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("billing.services.payer_changes.plans.open_item", lambda _project: None)
        patched.setattr(timezone, "now", lambda: now() + 2 * DAY)
        make.a_binding(world.shop, make.a_ready_account(world.organization))


CASES: dict[str, Callable[[World], None]] = {
    "PayerLocked": locked,
    "PaysAlready": bound_to_it,
    "PayerChangedSince": bound_later,
}


@pytest.mark.parametrize("reason", CASES)
def test_what_a_bind_would_refuse_is_foreseen_with_the_words_in_which_it_fails(
    reason: str, world: World, travel: Travel
) -> None:
    change = a_payer_change(world.emea, *world.projects)
    assert condition(change) == ("True", "AccountReady", "")
    CASES[reason](world)
    says = "1 projects cannot move as things are: the subresource preview names them"
    (item,) = PayerChangeItem.objects.immovable()
    assert item.project == world.shop
    refusal = refusals([item], world.emea)[item.pk]
    assert refusal.reason == reason
    preview = preview_of_change(change)
    listed = [(each.project, each.reason) for each in (*preview.locked, *preview.refused)]
    assert listed == [(world.shop.name, reason)]
    assert foresee() == 1
    assert revisions(change)[-1].reason == "PayerChangeAtRisk"
    assert condition(change) == ("False", "ProjectsCannotMove", says)
    travel(DAY)
    move_due()
    failed = PayerChangeItem.objects.get(pk=item.pk)
    assert (failed.reason, failed.message) == (refusal.reason, refusal.message)
    done = [phase for name, (phase, _reason) in outcomes(change).items() if name != world.shop.name]
    assert done == ["Done", "Done"]


def test_what_no_longer_stands_in_the_way_is_on_track_again(world: World) -> None:
    change = a_payer_change(world.emea, *world.projects)
    locked(world)
    assert (foresee(), foresee()) == (1, 0)
    unlock_payer(world.shop.pk, reason="it may move", actor=make.PLATFORM)
    assert (foresee(), foresee()) == (1, 0)
    assert revisions(change)[-1].reason == "PayerChangeOnTrack"
    assert condition(change) == ("True", "AccountReady", "")


def test_a_retry_of_what_cannot_move_yet_says_so(world: World, travel: Travel) -> None:
    change = a_payer_change(world.emea, *world.projects)
    locked(world)
    travel(DAY)
    move_due()
    retry(change.pk, reason="again", actor=make.PLATFORM)
    assert condition(change)[:2] == ("False", "ProjectsCannotMove")


def test_people_are_told_of_projects_that_cannot_move(world: World, travel: Travel) -> None:
    make.a_person("acme-admin", roles={world.organization: "billing-admin"}, email="admin@acme-corp.example")
    a_payer_change(world.emea, *world.projects, effective_at=timezone.now() + 10 * DAY)
    locked(world)
    assert remind() == 0
    travel(4 * DAY)
    assert (remind(), remind()) == (1, 0)
    travel(5 * DAY)
    assert (remind(), remind()) == (1, 0)
    notice = Notice.objects.filter(about="MoveAtRisk").latest("pk")
    for language, words in (
        ("en", "projects of it cannot move as things are: 1."),
        ("de", "Projekte davon können so nicht umziehen: 1."),
    ):
        text = render(notice.about, notice.context, account=world.emea, language=language)
        assert words in text.plain
        assert words in text.html
        assert "not Ready" not in text.plain


def test_a_plan_of_many_costs_as_many_queries_as_a_plan_of_few(world: World) -> None:
    def queries(change: PayerChange) -> int:
        kind = kind_of(PayerChange)
        assert kind
        with CaptureQueriesContext(connection) as captured:
            row = kind.queryset().get(pk=change.pk)
            (will, _complete) = kind.status(row)["conditions"]
        assert will["status"] == "False"
        return len(captured)

    few = a_payer_change(world.emea, world.shop)
    locked(world)
    projects = [make.a_project(world.organization) for _ in range(30)]
    for project in projects:
        make.a_binding(project, world.eu)
    many = a_payer_change(world.emea, *projects)
    PayerLock.objects.bulk_create(
        [
            PayerLock(project=project, reason="regulated", locked_at=timezone.now(), locked_by="user:operator")
            for project in projects
        ]
    )
    assert PayerChangeItem.objects.immovable().filter(change=many).count() == 30
    assert queries(few) == queries(many) == 1
