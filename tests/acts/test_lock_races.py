"""Locking a payer at the same moment as a bind or archiving: one of the two is refused, and the timeline is whole."""

from functools import partial

import pytest

from billing.models import BillingAccountBinding, PayerLock
from billing.services.payer_locks import lock_payer
from billing.services.projects import archive_project
from milo.access import Actor
from milo.errors import Invalid
from projects.models import Project
from tests.support import make
from tests.support.ledger import assert_timeline, assert_watchers_see, tally
from tests.support.threads import at_once, races

pytestmark = pytest.mark.django_db(transaction=True)
OPERATOR = Actor("user:operator", frozenset({"finance-operator"}))
LOCKED = "by operator (regulated workload): unlock it first"


def lock(project: Project) -> Project:
    return lock_payer(project.pk, reason="regulated workload", actor=OPERATOR)


@pytest.mark.parametrize("move", ["bind", "archive"])
def test_lock_races(move: str) -> None:
    organization = make.an_organization()
    before, after = make.a_ready_account(organization), make.a_ready_account(organization)
    projects = [make.a_project(organization) for _ in range(40)]
    for project in projects:
        make.a_binding(project, before)
    moves = {"bind": lambda p: make.a_binding(p, after), "archive": lambda p: archive_project(p.pk, actor=OPERATOR)}
    outcomes = races([(partial(moves[move], project), partial(lock, project)) for project in projects])
    for project, (moved, locked) in zip(projects, outcomes, strict=True):
        payer = BillingAccountBinding.objects.paying().filter(project=project).first()
        if isinstance(moved, Exception):
            assert type(moved) is Invalid
            assert LOCKED in str(moved)
            assert payer
            assert payer.account == before
        elif move == "bind":
            # the lock came after the bind, and is one of the new payer
            assert isinstance(locked, Project)
            assert payer
            assert payer.account == after
        else:
            assert type(locked) is Invalid
            assert not payer
            assert not PayerLock.objects.filter(project=project).exists()
        assert_timeline(project)
        assert_watchers_see(project)


def test_of_many_who_lock_at_once_one_locks() -> None:
    organization = make.an_organization()
    project = make.a_project(organization)
    make.a_binding(project, make.a_ready_account(organization))
    outcomes = at_once([partial(lock, project)] * 8)
    assert tally(outcomes) == {"Project": 1, "Invalid": 7}
    assert PayerLock.objects.count() == 1
