"""Who pays for what, now and at any instant: intervals are half open, and one queryset answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.models import BillingAccount, BillingAccountBinding
from billing.models.binding import projects_paid_by
from billing.models.unbound_project import unbound_projects
from billing.services.projects import archive_project
from projects.models import Organization, Project
from tests.support import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
MICROSECOND = timedelta(microseconds=1)
JANUARY, FEBRUARY, MARCH, APRIL = (datetime(2026, month, 1, 12, tzinfo=UTC) for month in (1, 2, 3, 4))


class Clock:
    """The time, at the hands of a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = JANUARY
        monkeypatch.setattr("milo.clock.timezone.now", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def accounts(organization: Organization, project: Project, clock: Clock) -> list[BillingAccount]:
    """The first paid for the project in February, the second from March until it was archived in April."""
    first, second = make.a_ready_account(organization), make.a_ready_account(organization)
    for clock.now, account in ((FEBRUARY, first), (MARCH, second)):
        make.a_binding(project, account)
    clock.now = APRIL
    archive_project(project.pk, actor=make.PLATFORM)
    return [first, second]


def payer(project: Project, at: datetime | None = None) -> BillingAccount | None:
    found = BillingAccountBinding.objects.paying(at).filter(project=project)
    return found.get().account if found else None


def linked(account: BillingAccount) -> int:
    accounts: Any = BillingAccount.objects.with_linked_projects_count()
    count: int = accounts.get(pk=account.pk).linked_projects_count
    return count


def test_the_payer_of_an_instant_is_the_one_whose_interval_holds_it(
    project: Project, accounts: list[BillingAccount]
) -> None:
    first, second = accounts
    expected = {
        JANUARY: None,
        FEBRUARY - MICROSECOND: None,
        FEBRUARY: first,
        FEBRUARY + MICROSECOND: first,
        MARCH - MICROSECOND: first,
        MARCH: second,
        MARCH + MICROSECOND: second,
        APRIL - MICROSECOND: second,
        APRIL: None,
        APRIL + MICROSECOND: None,
    }
    assert {at: payer(project, at) for at in expected} == expected


def test_the_projects_of_an_account_at_an_instant_are_the_same_answer(
    project: Project, accounts: list[BillingAccount]
) -> None:
    first, second = accounts
    for at in (FEBRUARY - MICROSECOND, FEBRUARY, MARCH - MICROSECOND, MARCH, APRIL - MICROSECOND, APRIL):
        for account in (first, second):
            assert (project in projects_paid_by(account, at)) == (payer(project, at) == account)


def test_now_is_who_pays_now(organization: Organization, project: Project, clock: Clock) -> None:
    account, other = make.a_ready_account(organization), make.a_ready_account(organization)
    assert (payer(project), list(projects_paid_by(account))) == (None, [])
    make.a_binding(project, account)
    assert (payer(project), list(projects_paid_by(account))) == (account, [project])
    clock.now = FEBRUARY
    make.a_binding(project, other)
    assert (payer(project), list(projects_paid_by(account)), list(projects_paid_by(other))) == (other, [], [project])
    archive_project(project.pk, actor=make.PLATFORM)
    assert (payer(project), list(projects_paid_by(other))) == (None, [])


def test_an_account_pays_for_all_its_projects_and_no_others(organization: Organization) -> None:
    account, other = make.a_ready_account(organization), make.a_ready_account(organization)
    mine = [make.a_project(organization) for _ in range(3)]
    for project in mine:
        make.a_binding(project, account)
    make.a_binding(make.a_project(organization), other)
    assert set(projects_paid_by(account)) == set(mine)
    assert (linked(account), linked(other)) == (3, 1)


def test_a_project_that_came_back_to_an_account_is_paid_for_once(organization: Organization, project: Project) -> None:
    account, other = make.a_ready_account(organization), make.a_ready_account(organization)
    for payer_to_be in (account, other, account):
        make.a_binding(project, payer_to_be)
    assert projects_paid_by(account).count() == 1
    assert linked(account) == 1


def test_unbound_are_the_active_projects_without_a_payer(organization: Organization) -> None:
    account = make.a_ready_account(organization)
    unbound, bound, archived, ended = (make.a_project(organization) for _ in range(4))
    for project in (bound, ended):
        make.a_binding(project, account)
    for project in (archived, ended):
        archive_project(project.pk, actor=make.PLATFORM)
    assert list(unbound_projects()) == [unbound]


def test_a_timeline_is_in_order_without_gaps_and_of_one_project(
    organization: Organization, project: Project, accounts: list[BillingAccount]
) -> None:
    make.a_binding(make.a_project(organization), accounts[0])
    timeline = BillingAccountBinding.objects.timeline(project)
    assert [(b.account, b.established_at, b.ended_at) for b in timeline] == [
        (accounts[0], FEBRUARY, MARCH),
        (accounts[1], MARCH, APRIL),
    ]


def test_a_suspended_payer_still_pays(organization: Organization, project: Project) -> None:
    account = make.a_ready_account(organization)
    make.a_binding(project, account)
    BillingAccount.objects.filter(pk=account.pk).update(phase="Suspended")
    assert (payer(project), list(projects_paid_by(account))) == (account, [project])
