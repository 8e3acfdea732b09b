"""Every minute what changed is inspected, and what was wrong before; at night everything is."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import BillingAccount, BillingAccountBinding
from billing.services import continuity
from billing.services.accounts import AccountSpec, revise
from billing.tasks import inspect_ledger, inspect_whole_ledger
from milo import audit
from milo.celery import app
from milo.kube.metadata import Metadata
from milo.ledger import frontier, inspections
from milo.ledger.models import Inspection
from projects.models import Project
from tests.support import make, tamper

pytestmark = pytest.mark.django_db


@pytest.fixture
def bound_project(organization: Any, project: Project) -> Project:
    """Inspected once, so that what follows is the first change."""
    make.a_binding(project, make.a_ready_account(organization, "us"), "first")
    make.a_binding(project, make.a_ready_account(organization, "eu"), "second")
    assert inspect_ledger() == 0
    return project


def violations(check: str) -> int:
    return Inspection.objects.get(name=check).violations


def archived_though_paid_for(project: Project) -> None:
    """Archive past the service: a break of the timeline, with history."""
    with tamper.guards_off(), audit.transaction():
        project.archive()
        audit.save_as(make.PLATFORM, project, reason="ProjectArchived")


def test_changes_are_inspected_every_minute_and_everything_every_night() -> None:
    schedules = {entry["task"]: entry["schedule"] for entry in app.conf.beat_schedule.values()}
    assert schedules[inspect_ledger.name] == 60
    assert len(schedules[inspect_whole_ledger.name].hour) == 1


def test_a_break_is_found_by_the_next_inspection_and_again_until_it_is_mended(bound_project: Project) -> None:
    archived_though_paid_for(bound_project)
    for _minute in range(3):
        assert inspect_ledger() == 1
        assert violations("continuity") == 1
    binding = BillingAccountBinding.objects.get(name="second")
    with tamper.guards_off(), audit.transaction():
        binding.end(audit.ledger_time(binding), "ProjectArchived")
        audit.save_as(make.PLATFORM, binding, reason="Ended")
    assert inspect_ledger() == 0
    assert violations("continuity") == 0


def test_a_change_without_history_is_found_at_night_and_from_then_on(bound_project: Project) -> None:
    account = BillingAccount.objects.get(name="us")
    with tamper.guards_off():
        tamper.alter(account, net_days=90)
    assert inspect_ledger() == 0
    assert inspect_whole_ledger() == 1
    assert f"billing_billingaccount row {account.pk} is not what" in Inspection.objects.get(name="history").message
    assert inspect_ledger() == 1
    with tamper.guards_off():
        tamper.alter(account, net_days=30)
    assert inspect_ledger() == 0


def test_a_row_that_differs_from_its_history_is_found_by_its_next_change(bound_project: Project) -> None:
    account = BillingAccount.objects.get(name="us")
    revise(account.pk, AccountSpec.of(account), Metadata(labels={"tier": "gold"}), actor=make.PLATFORM)
    with tamper.guards_off():
        tamper.alter(account, net_days=90)
    assert inspect_ledger() == 1
    assert violations("history") == 1


def test_a_place_beyond_a_writer_that_stays_is_not_remembered(
    bound_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = inspections.place_of("continuity")

    def busy() -> dict[str, int]:
        raise frontier.WritersBusy("1 transaction")

    with monkeypatch.context() as patched:
        patched.setattr(frontier, "final_keys", busy)
        archived_though_paid_for(bound_project)
        assert inspect_ledger() == 1
        assert inspections.place_of("continuity")["through"] == before["through"]
    assert inspect_ledger() == 1
    assert inspections.place_of("continuity")["through"] != before["through"]


def test_more_that_changed_than_fits_into_one_query_is_inspected(
    bound_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuity, "AT_ONCE", 2)
    monkeypatch.setattr("milo.ledger.live.AT_ONCE", 2)
    account = BillingAccount.objects.get(name="eu")
    others = [make.a_project(bound_project.organization) for _ in range(5)]
    for other in others:
        make.a_binding(other, account)
    archived_though_paid_for(others[3])
    assert inspect_ledger() == 1
    assert others[3].name in Inspection.objects.get(name="continuity").message


def test_an_inspection_of_nothing_new_reads_no_binding(bound_project: Project) -> None:
    table = BillingAccountBinding._meta.db_table
    inspect_ledger()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert inspect_ledger() == 0
    assert not [each["sql"] for each in queries if f'FROM "{table}"' in each["sql"] or f"FROM {table} " in each["sql"]]
    assert len(queries) <= 100
