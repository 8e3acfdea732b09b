"""Many acts at the same moment: nothing is lost, nobody waits in a circle, and who is refused is refused kindly."""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from billing.models import BillingAccount, BillingAccountBinding
from billing.services.accounts import AccountSpec, revise
from billing.services.bindings import relabel_binding
from billing.services.projects import archive_project
from milo import audit
from milo.errors import Invalid
from milo.kube.metadata import Metadata
from milo.kube.models import Change
from milo.kube.store.changes import current_version
from projects.models import Organization, Project
from projects.services.projects import ProjectSpec, revise_project
from tests.support import make
from tests.support.ledger import assert_history_explains, assert_timeline, assert_watchers_see, tally
from tests.support.threads import Outcome, at_once, attempt, races

pytestmark = pytest.mark.django_db(transaction=True)
# SQLite has one writer, so that a race is over before it begins
RACES = 100 if connection.vendor == "postgresql" else 50


def phases_of_bindings() -> dict[int, list[str]]:
    """The phases of all bindings of each project."""
    found: dict[int, list[str]] = defaultdict(list)
    for project_id, phase in BillingAccountBinding.objects.order_by("pk").values_list("project_id", "phase"):
        found[project_id].append(phase)
    return found


def in_phase(account: BillingAccount, phase: str) -> Callable[[], int]:
    closed = {"closed_at": timezone.now(), "closed_from": "Ready"} if phase == "Closed" else {}
    return partial(BillingAccount.objects.filter(pk=account.pk).update, phase=phase, **closed)


def assert_no_number_is_missing() -> None:
    numbers = Change.objects.order_by("resource_version").values_list("resource_version", flat=True)
    assert list(numbers) == list(range(1, current_version() + 1))


def test_thirty_two_threads_that_rebind_one_project_leave_a_timeline_without_a_gap() -> None:
    organization = make.an_organization()
    project = make.a_project(organization)
    accounts = [make.a_ready_account(organization) for _ in range(32)]
    outcomes = [o for _ in range(3) for o in at_once([partial(make.a_binding, project, a) for a in accounts])]
    counted = tally(outcomes)
    assert set(counted) <= {"BillingAccountBinding", "Invalid"}
    refusals = [str(outcome) for outcome in outcomes if isinstance(outcome, Invalid)]
    assert all("pays for this project already" in refusal for refusal in refusals)
    timeline = assert_timeline(project)
    assert len(timeline) == counted["BillingAccountBinding"] >= 3 * 31
    assert BillingAccountBinding.objects.paying().filter(project=project).count() == 1
    for row in (*timeline, project, *accounts):
        assert_watchers_see(row)
    assert_no_number_is_missing()


def test_bind_races_archive() -> None:
    organization = make.an_organization()
    account = make.a_ready_account(organization)
    with audit.transaction():
        projects = [make.a_project(organization) for _ in range(RACES)]
    outcomes = races(
        [
            (partial(make.a_binding, project, account), partial(archive_project, project.pk, actor=make.PLATFORM))
            for project in projects
        ]
    )
    phases = phases_of_bindings()
    for project, (bound, archived) in zip(projects, outcomes, strict=True):
        assert isinstance(archived, Project)
        if isinstance(bound, BillingAccountBinding):
            assert phases[project.pk] == ["Ended"]
        else:
            assert type(bound) is Invalid
            assert "is archived" in str(bound)
            assert phases[project.pk] == []
    assert not Project.objects.active().exists()
    assert_watchers_see(account)
    assert_no_number_is_missing()


def test_bind_races_a_direct_change_of_phase() -> None:
    organization = make.an_organization()
    with audit.transaction():
        projects = [make.a_project(organization) for _ in range(RACES)]
        accounts = [make.a_ready_account(organization) for _ in range(RACES)]
    phases = ["Closed", "Suspended"] * (RACES // 2)
    outcomes = races(
        [
            (partial(make.a_binding, project, account), in_phase(account, phase))
            for project, account, phase in zip(projects, accounts, phases, strict=True)
        ]
    )
    found, now_in = phases_of_bindings(), dict(BillingAccount.objects.values_list("pk", "phase"))
    for project, account, phase, (bound, changed) in zip(projects, accounts, phases, outcomes, strict=True):
        now = now_in[account.pk]
        if isinstance(bound, BillingAccountBinding):
            assert found[project.pk] == ["Active"]
            if phase == "Closed":  # a payer is never closed, not by SQL either
                assert isinstance(changed, IntegrityError)
                assert "account_closed_while_paying" in str(changed)
                assert now == BillingAccount.Phase.READY
            else:
                assert (changed, now) == (1, phase)
        else:
            assert type(bound) is Invalid
            assert f"is {phase}, not Ready" in str(bound)
            assert (changed, now) == (1, phase)
            assert found[project.pk] == []


class Office:
    """An organization with a few projects and accounts, at which many people work at once."""

    def __init__(self) -> None:
        self.organization: Organization = make.an_organization()
        self.projects = [make.a_project(self.organization) for _ in range(3)]
        self.accounts = [make.a_ready_account(self.organization) for _ in range(4)]

    def act(self, chance: random.Random) -> Callable[[], object]:
        project, account = chance.choice(self.projects), chance.choice(self.accounts)
        spec = ProjectSpec(f"Renamed {chance.randrange(100)}")
        rebind: Callable[[], object] = partial(make.a_binding, project, account)
        others: list[Callable[[], object]] = [
            partial(self.relabel, project, chance.randrange(100)),
            partial(self.rename_account, account, chance.randrange(100)),
            partial(revise_project, project.pk, spec, actor=make.PLATFORM),
        ]
        return chance.choice([rebind, rebind, rebind, *others])

    def relabel(self, project: Project, number: int) -> object:
        binding = BillingAccountBinding.objects.filter(project=project).order_by("?").first()
        return binding and relabel_binding(binding.pk, Metadata({"number": str(number)}), actor=make.PLATFORM)

    def rename_account(self, account: BillingAccount, number: int) -> BillingAccount:
        spec = replace(AccountSpec.of(account), display_name=f"Renamed {number}")
        return revise(account.pk, spec, actor=make.PLATFORM)


def test_many_kinds_of_acts_on_few_rows_never_wait_in_a_circle() -> None:
    office = Office()

    def work(seed: int) -> list[Outcome]:
        chance = random.Random(seed)
        return [attempt(office.act(chance)) for _ in range(20)]

    outcomes: list[Any] = at_once([partial(work, seed) for seed in range(8)])
    counted = tally(outcome for person in outcomes for outcome in person)
    assert set(counted) <= {"BillingAccountBinding", "BillingAccount", "Project", "Invalid", "NoneType"}
    archivals = at_once([partial(archive_project, project.pk, actor=make.PLATFORM) for project in office.projects])
    assert tally(archivals) == {"Project": 3}
    timelines = [assert_timeline(project) for project in office.projects]
    assert all(timelines)
    for row in (*office.projects, *office.accounts, *(binding for timeline in timelines for binding in timeline)):
        assert_history_explains(row)
        assert_watchers_see(row)
    assert_no_number_is_missing()


def test_sixteen_writers_are_all_served() -> None:
    """On SQLite nobody hears "database is locked"; on PostgreSQL nobody waits for a connection in vain."""
    organization = make.an_organization()
    accounts = [make.a_ready_account(organization) for _ in range(2)]
    projects = [make.a_project(organization) for _ in range(16)]

    def work(project: Project) -> list[Outcome]:
        return [attempt(partial(make.a_binding, project, accounts[turn % 2])) for turn in range(6)]

    outcomes: list[Any] = at_once([partial(work, project) for project in projects])
    assert tally(outcome for person in outcomes for outcome in person) == {"BillingAccountBinding": 96}
    assert all(len(assert_timeline(project)) == 6 for project in projects)
    assert_no_number_is_missing()
