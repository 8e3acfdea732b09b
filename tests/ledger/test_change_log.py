"""The change log: one revision of each object an act has changed, numbered in the order of commits, without a gap."""

from functools import partial
from itertools import pairwise

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from billing.services.accounts import AccountSpec, revise
from billing.services.projects import archive_project
from milo import audit
from milo.errors import Invalid
from milo.kube.models import Change, Counter
from milo.kube.store.changes import current_version, version_of
from projects.models import Project
from projects.services.projects import ProjectSpec, revise_project
from tests.support import make
from tests.support.interleaving import then
from tests.support.ledger import assert_watchers_see, nothing_changes, refused, revisions, shown, tally
from tests.support.threads import at_once, patiently

pytestmark = pytest.mark.django_db


def numbers() -> list[int]:
    return list(Change.objects.order_by("resource_version").values_list("resource_version", flat=True))


def test_numbers_are_given_one_after_another() -> None:
    organization = make.an_organization()
    project = make.a_project(organization)
    make.a_binding(project, make.a_ready_account(organization))
    make.a_binding(project, make.a_ready_account(organization))
    archive_project(project.pk, actor=make.PLATFORM)
    newest = current_version()
    assert numbers() == list(range(newest - len(numbers()) + 1, newest + 1))
    assert version_of(project) in numbers()


def test_a_row_written_twice_in_an_act_is_one_revision_as_it_ended() -> None:
    account = make.an_incomplete_account(make.an_organization())
    before = current_version()
    revise(account.pk, AccountSpec("", "USD", make.TERMS, make.CARD), actor=make.PLATFORM)
    assert current_version() == before + 1
    newest = revisions(account)[-1]
    assert (newest.type, newest.reason) == ("MODIFIED", "BillingAccountReady")
    assert newest.manifest["status"]["phase"] == "Ready"
    assert newest.manifest["metadata"]["resourceVersion"] == str(newest.resource_version)


def test_what_is_refused_takes_no_number() -> None:
    account = make.a_ready_account(make.an_organization())
    project = make.a_project(account.organization)
    make.a_binding(project, account)
    with refused(Invalid):
        make.a_binding(project, account)
    before = current_version()
    make.a_project(account.organization)
    assert current_version() == before + 1


def test_a_dry_run_takes_no_number() -> None:
    account = make.a_ready_account(make.an_organization())
    project = make.a_project(account.organization)
    with nothing_changes(), audit.dry_run():
        make.a_binding(project, account)


def test_a_revision_says_who_did_what_and_why() -> None:
    account = make.a_ready_account(make.an_organization(), "us")
    project = make.a_project(account.organization, "webapp")
    binding = make.a_binding(project, account)
    said = {row: (revisions(row)[-1].actor, revisions(row)[-1].message) for row in (binding, project, account)}
    assert said == {
        binding: (make.PLATFORM.name, "us pays for webapp"),
        project: (make.PLATFORM.name, "now paid for by us"),
        account: (make.PLATFORM.name, "pays for webapp from now on"),
    }


def test_the_numbers_are_taken_by_the_last_statement_of_an_act() -> None:
    account = make.a_ready_account(make.an_organization())
    project = make.a_project(account.organization)
    with CaptureQueriesContext(connection) as captured:
        make.a_binding(project, account)
    ending = ("RELEASE", "COMMIT")
    statements = [query["sql"] for query in captured if not query["sql"].startswith(ending)]
    taking = [number for number, statement in enumerate(statements, 1) if "INTO kube_counter" in statement]
    # SQLite, where one act writes at a time, has one statement more for the revisions
    assert taking == [len(statements) - (connection.vendor == "sqlite")]


@pytest.mark.django_db(transaction=True)
def test_numbers_of_many_acts_at_once_have_no_gap_and_show_each_object_as_it_was() -> None:
    organization = make.an_organization()
    accounts = [make.a_ready_account(organization) for _ in range(2)]
    projects = [make.a_project(organization) for _ in range(6)]
    for turn in range(4):
        acts = [
            partial(patiently, partial(make.a_binding, project, accounts[(turn + i) % 2]))
            for i, project in enumerate(projects)
        ]
        assert tally(at_once(acts)) == {"BillingAccountBinding": 6}
    assert numbers() == list(range(1, current_version() + 1))
    for row in (*projects, *accounts):
        assert_watchers_see(row)
    for account in accounts:
        counts = [revision.manifest["status"]["linkedProjectsCount"] for revision in revisions(account)]
        steps = {abs(after - before) for before, after in pairwise(counts)}
        assert steps == {1}


@pytest.mark.django_db(transaction=True)
def test_an_act_that_numbers_later_commits_later() -> None:
    """Whoever reads "after N" misses nothing: a number is visible only once all lower ones are."""
    first, second = (make.a_project(make.an_organization()) for _ in range(2))

    def number() -> None:
        assert connection.in_atomic_block
        Counter.objects.update(value=F("value") + 1)

    before = current_version()
    outcome = then(number, partial(revise_project, first.pk, ProjectSpec("Renamed"), actor=make.PLATFORM))
    assert isinstance(outcome, Project)
    assert version_of(first) == before + 2
    assert shown(first)["spec"]["displayName"] == "Renamed"
    assert version_of(second) <= before
