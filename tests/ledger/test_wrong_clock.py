"""A process whose clock is wrong does nothing that cannot be undone."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connection
from django.test import Client
from django.utils import timezone

from billing.models import ApprovalRequest, BillingAccount
from billing.services.approvals.requests import expire_overdue
from billing.services.closed_months import close_month
from billing.services.projects import archive_project
from billing.services.retention import archival, purges
from billing.services.retention.archival import ARCHIVIST
from billing.services.usage.intake import report
from milo import clock
from milo.celery import app
from milo.clock import ClockWrong
from milo.identity.service_users import create_service_user
from milo.kube.store import changes
from tests.attacks.machinery import SQLITE
from tests.support import make, world_clock
from tests.support.clock import Travel, travelling
from tests.support.ledger import nothing_changes
from tests.support.payer_changes import a_payer_change
from tests.support.retention import store, stored
from tests.support.usage import REPORTER, an_event, paid, reasons, rollup, taken

pytestmark = pytest.mark.django_db
DAYS = timedelta(days=1)
AHEAD = {"15 days": 15 * DAYS, "100 days": 100 * DAYS, "14 years": 14 * 366 * DAYS}
BEHIND = {"61 seconds behind": timedelta(seconds=-61), "15 days behind": -15 * DAYS}
IRREVERSIBLE = {
    "billing.tasks.announce_retention",
    "billing.tasks.archive_accounts",
    "billing.tasks.assess_accounts",
    "billing.tasks.expire_requests",
    "billing.tasks.move_due_projects",
    "billing.tasks.purge_accounts",
    "billing.tasks.remind_of_payer_changes",
    "billing.tasks.activate_affiliations",
    "billing.tasks.foresee_affiliations",
    "milo.identity.tasks.clear_sessions",
    "milo.kube.tasks.compact_change_log",
    "milo.kube.tasks.forget_responses",
}
# why a wrong clock destroys nothing in the others
REVERSIBLE = {
    "billing.tasks.announce_standing": "writes what was decided before",
    "billing.tasks.bind_to_default_accounts": "binds what waits, from now on, which a wrong clock is refused",
    "billing.tasks.deliver_notices": "sends what was decided before; what it gives up can be queued again",
    "billing.tasks.foresee_payer_changes": "goes by the phases of accounts",
    "billing.tasks.inspect_ledger": "compares rows with rows",
    "billing.tasks.inspect_whole_ledger": "compares rows with rows",
    "billing.tasks.make_usage_partitions": "goes by the clock of the database",
    "billing.tasks.verify_archive": "reads what is stored",
    "billing.tasks.validate_waiting_accounts": "is tried again until it succeeds",
    "milo.kube.tasks.renew_manifests": "renders what is there",
    "milo.ledger.tasks.seal_ledger": "seals what is written; its instants only go forward",
    "milo.ledger.tasks.verify_ledger": "compares rows with seals",
    "milo.schedules.tasks.answer_canary": "does nothing",
}
Wrong = Travel
__all__ = ["travelling"]


@pytest.fixture
def wrong(travelling: Travel) -> Wrong:
    """Return a context in which the clock of this process alone is that much later. SQLite knows no second clock."""

    @contextmanager
    def wrong_by(by: timedelta) -> Iterator[None]:
        with world_clock.stay(), travelling(by):
            yield

    return wrong_by


@pytest.fixture
def work(settings: Any, travelling: Travel) -> BillingAccount:
    """A request, a closed account, an archived one and old revisions. Return the archived account."""
    settings.MILO_PLATFORM_COUNTRY = "DE"
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    organization = make.an_organization("acme-corp")
    archived = make.in_phase(make.a_ready_account(organization, display_name="Erika Example"), "Closed")
    with travelling(100 * DAYS):
        archival.archive(archived.pk, actor=ARCHIVIST)
    make.in_phase(make.a_ready_account(organization), "Closed")
    make.a_request(make.a_ready_account(organization), "Close")
    return archived


def tasks() -> set[str]:
    app.loader.import_default_modules()
    return {name for name in app.tasks if not name.startswith("celery.")}


def test_of_every_task_it_is_known_whether_a_wrong_clock_destroys() -> None:
    assert tasks() == IRREVERSIBLE | set(REVERSIBLE)
    assert not IRREVERSIBLE & set(REVERSIBLE)


@pytest.mark.parametrize("by", [*AHEAD.values(), *BEHIND.values()], ids=[*AHEAD, *BEHIND])
def test_no_task_does_what_cannot_be_undone_by_a_clock_that_is_not_the_databases(
    work: BillingAccount, wrong: Wrong, by: timedelta
) -> None:
    tasks()
    if connection.vendor == SQLITE:
        if by > timedelta():
            return
        make.a_project(work.organization)  # the newest entry is of now
    files = stored()
    for task in sorted(IRREVERSIBLE):
        with wrong(by), nothing_changes(), pytest.raises(ClockWrong, match="clock"):
            app.tasks[task]()
    assert stored() == files


def test_a_clock_that_differs_by_less_than_a_minute_is_tolerated(work: BillingAccount, wrong: Wrong) -> None:
    tasks()
    make.a_project(work.organization)
    for by in (timedelta(seconds=50), timedelta(seconds=-50)):
        with wrong(by):
            for task in sorted(IRREVERSIBLE):
                app.tasks[task]()


def test_with_all_clocks_at_the_day_everything_is_done(work: BillingAccount, travelling: Travel) -> None:
    tasks()
    with travelling(14 * 366 * DAYS):
        for task in sorted(IRREVERSIBLE):
            app.tasks[task]()
    work.refresh_from_db()
    assert work.display_name == "[purged]"
    assert ApprovalRequest.objects.filter(phase=ApprovalRequest.Phase.EXPIRED).count() == 1
    assert not BillingAccount.objects.filter(phase=BillingAccount.Phase.CLOSED).exists()


@pytest.mark.parametrize(
    "act",
    [
        lambda archived, closed: archival.archive(closed.pk, actor=ARCHIVIST),
        lambda archived, closed: archival.archive_due(),
        lambda archived, closed: purges.purge(archived.pk, actor=purges.PURGER),
        lambda archived, closed: purges.purge_due(),
        lambda archived, closed: expire_overdue(),
        lambda archived, closed: changes.compact(configured.MILO_CHANGE_LOG_RETENTION),
    ],
    ids=["archive", "archive_due", "purge", "purge_due", "expire_overdue", "compact"],
)
def test_the_services_refuse_by_themselves(
    work: BillingAccount, wrong: Wrong, act: Callable[[BillingAccount, BillingAccount], object]
) -> None:
    closed = BillingAccount.objects.get(phase=BillingAccount.Phase.CLOSED)
    make.a_project(work.organization)
    by = -15 * DAYS if connection.vendor == SQLITE else 14 * 366 * DAYS
    with wrong(by), nothing_changes(), pytest.raises(ClockWrong):
        act(work, closed)


def test_a_clock_that_goes_wrong_while_a_bundle_is_written_archives_nothing(
    work: BillingAccount, wrong: Wrong, travelling: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = BillingAccount.objects.get(phase=BillingAccount.Phase.CLOSED)
    entered: list[AbstractContextManager[None]] = []

    def go_wrong(*arguments: Any, **options: Any) -> Any:
        context = wrong(-DAYS if connection.vendor == SQLITE else 15 * DAYS)
        context.__enter__()
        entered.append(context)
        return save(*arguments, **options)

    with travelling(100 * DAYS):
        make.a_project(work.organization)
        save = store().save
        monkeypatch.setattr(
            type(store()), "save", lambda self, *a, **o: go_wrong(*a, **o) if not entered else save(*a, **o)
        )
        with nothing_changes(), pytest.raises(ClockWrong):
            archival.archive(closed.pk, actor=ARCHIVIST)
        entered.pop().__exit__(None, None, None)
    closed.refresh_from_db()
    assert closed.phase == BillingAccount.Phase.CLOSED


def test_what_is_wrong_is_said_in_days_and_seconds(wrong: Wrong) -> None:
    if connection.vendor == SQLITE:
        return
    with wrong(15 * DAYS + timedelta(seconds=3)):
        assert clock.fault(connection).startswith("the clock of this process is ahead of the database's by 15 days, 0:")
    with wrong(timedelta(minutes=-2)):
        assert "is behind the database's by 0:0" in clock.fault(connection)
    assert clock.fault(connection) == ""


def test_on_sqlite_the_newest_entry_is_the_second_clock(organization: Any, wrong: Wrong) -> None:
    if connection.vendor != SQLITE:
        return
    make.a_project(organization)
    with wrong(-15 * DAYS):
        said = clock.fault(connection)
    assert said.startswith("the newest entry of the ledger is later than the clock of this machine by 1")
    assert clock.fault(connection) == ""


@pytest.mark.parametrize("by", [*AHEAD.values(), *BEHIND.values()], ids=[*AHEAD, *BEHIND])
def test_a_process_with_a_wrong_clock_is_not_ready(client: Client, project: Any, wrong: Wrong, by: timedelta) -> None:
    with wrong(by):
        answer = client.get("/readyz")
    if connection.vendor != SQLITE:
        assert answer.status_code == 503
        assert "the clock of this process is" in answer.json()["why"]
    elif by < timedelta():
        assert answer.status_code == 200
        assert "the newest entry of the ledger" in answer.json()["degraded"]
    assert client.get("/readyz").json() == {"status": "ok"}


def test_a_worker_with_a_wrong_clock_does_not_start(project: Any, wrong: Wrong) -> None:
    clock.refuse_start(connection)
    with wrong(15 * DAYS):
        if connection.vendor == SQLITE:
            clock.refuse_start(connection)
            return
        with pytest.raises(SystemExit, match="ahead of the database's by 1"):
            clock.refuse_start(connection)


WRITES: dict[str, Callable[[Any, Any, Any], object]] = {
    "bind": lambda organization, project, account: make.a_binding(project, account),
    "create a project": lambda organization, project, account: make.a_project(organization),
    "create an organization": lambda organization, project, account: make.an_organization(make.a_name("later")),
    "create a service user": lambda organization, project, account: create_service_user(
        make.a_name("robot"), actor=make.PLATFORM
    ),
    "open an account": lambda organization, project, account: make.a_ready_account(organization),
    "suspend": lambda organization, project, account: make.in_phase(account, "Suspended"),
    "archive a project": lambda organization, project, account: archive_project(project.pk, actor=make.PLATFORM),
    "request": lambda organization, project, account: make.a_request(account, "Close"),
    "plan": lambda organization, project, account: a_payer_change(account, project),
    "close a month": lambda organization, project, account: close_month(
        account.pk, date(2020, 1, 1), reason="reported", actor=make.PLATFORM
    ),
    "report usage": lambda organization, project, account: taken(an_event(project)),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_nothing_is_written_into_the_future(
    organization: Any, project: Any, account: Any, wrong: Wrong, write: Callable[[Any, Any, Any], object]
) -> None:
    if connection.vendor == SQLITE:  # has no second clock
        return
    for by in AHEAD.values():
        with wrong(by), nothing_changes(), pytest.raises(ClockWrong, match="ahead of the database's"):
            write(organization, project, account)
    with wrong(timedelta(seconds=50)):
        write(organization, project, account)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_nothing_is_written_into_the_past(
    organization: Any, project: Any, account: Any, wrong: Wrong, write: Callable[[Any, Any, Any], object]
) -> None:
    if connection.vendor == SQLITE:
        return
    for by in BEHIND.values():
        with wrong(by), nothing_changes(), pytest.raises(ClockWrong, match="behind the database's"):
            write(organization, project, account)
    with wrong(timedelta(seconds=-50)):
        write(organization, project, account)


def test_a_web_process_that_is_behind_changes_nobody_who_paid_in_the_past(wrong: Wrong, travelling: Travel) -> None:
    if connection.vendor == SQLITE:
        return
    with travelling(-20 * DAYS):
        organization = make.an_organization("acme-corp")
        project, first = make.a_project(organization), make.a_ready_account(organization)
        make.a_binding(project, first)
        taken(an_event(project))
    with travelling(-5 * DAYS):
        taken(an_event(project))
    second = make.a_ready_account(organization)
    with wrong(-15 * DAYS), nothing_changes(), pytest.raises(ClockWrong, match="behind the database's"):
        make.a_binding(project, second)
    make.a_binding(project, second)
    assert (paid(rollup(), first), paid(rollup(), second)) == (Decimal(2), Decimal(0))


def test_a_web_process_that_is_behind_rejects_no_usage_of_the_present(project: Any, wrong: Wrong) -> None:
    event = an_event(project)
    # on SQLite the newest entry, that of the project, is the second clock
    with wrong(-15 * DAYS), nothing_changes(), pytest.raises(ClockWrong):
        taken(event)
    taken(event)
    future = report([an_event(project, time=timezone.now() + DAYS)], actor=REPORTER)
    assert reasons(future) == {0: ("time", "FieldValueInvalid")}


def test_a_web_process_that_is_ahead_binds_nobody_and_says_so(project: Any, account: Any, wrong: Wrong) -> None:
    if connection.vendor == SQLITE:
        return
    _row, token = make.a_token(make.a_person("operator", groups=("finance-operator",)))
    address = "/apis/billing.milo.io/v1alpha1/namespaces/acme-corp/billingaccountbindings"
    body = {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "BillingAccountBinding",
        "metadata": {"name": "early"},
        "spec": {"projectRef": {"name": project.name}, "billingAccountRef": {"name": account.name}},
    }
    client = Client(headers={"authorization": f"Bearer {token}"})
    with wrong(15 * DAYS), nothing_changes():
        answer = client.post(address, body, content_type="application/json")
    assert answer.status_code == 503, answer.content
    assert "ahead of the database's" in answer.json()["message"]
    answer = client.post(address, body, content_type="application/json")
    assert answer.status_code == 201, answer.content
