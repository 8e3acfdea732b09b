"""The past: who paid at an instant as it was known at another, an account as it was, and the breaks of a timeline."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.models import BillingAccount, BillingAccountBinding
from billing.services import past
from billing.services.accounts import AccountSpec, revise
from billing.services.projects import archive_project
from billing.services.timeline import timeline
from billing.tasks import inspect_ledger
from milo.audit import save_as, transaction
from milo.kube.models import Change
from milo.ledger.models import Inspection
from milo.provenance import asked_by
from projects.models import Organization, Project
from tests.support import make, tamper

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
MICROSECOND = timedelta(microseconds=1)
JANUARY, FEBRUARY, MARCH, APRIL = (datetime(2026, month, 1, 12, tzinfo=UTC) for month in (1, 2, 3, 4))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_to(at: datetime) -> None:
        monkeypatch.setattr("django.utils.timezone.now", lambda: at)

    set_to(JANUARY)
    return set_to


@pytest.fixture
def bound_project(organization: Organization, project: Project, clock: Any) -> Project:
    """Paid for by us from February and by eu from March."""
    us, eu = (make.a_ready_account(organization, name) for name in ("us", "eu"))
    clock(FEBRUARY)
    make.a_binding(project, us, "first")
    clock(MARCH)
    make.a_binding(project, eu, "second")
    clock(APRIL)
    return project


@pytest.mark.parametrize(
    ("at", "known_at", "payer"),
    [
        (FEBRUARY - MICROSECOND, None, None),
        (FEBRUARY, None, "us"),
        (MARCH - MICROSECOND, None, "us"),
        (MARCH, None, "eu"),
        (FEBRUARY, FEBRUARY - MICROSECOND, None),
        (FEBRUARY, FEBRUARY, "us"),
        (APRIL, FEBRUARY, "us"),
        (MARCH, MARCH - MICROSECOND, "us"),
        (MARCH, MARCH, "eu"),
        (MARCH - MICROSECOND, APRIL, "us"),
    ],
)
def test_who_paid_at_an_instant_as_it_was_known_at_another(
    bound_project: Project, at: datetime, known_at: datetime | None, payer: str | None
) -> None:
    found = past.payer_at(bound_project, at, known_at)
    assert (found and found.account.name) == payer


def test_an_account_is_told_with_the_terms_and_projects_that_it_had(bound_project: Project, clock: Any) -> None:
    account = BillingAccount.objects.get(name="us")
    revise(account.pk, replace(AccountSpec.of(account), display_name="Renamed"), actor=make.PLATFORM)
    assert past.as_of(account, JANUARY - MICROSECOND) is None
    before, after = past.as_of(account, FEBRUARY), past.as_of(account, APRIL)
    assert before
    assert after
    assert (before.display_name, before.net_days, before.linked_projects_count) == ("", 30, 1)  # type: ignore[attr-defined]
    assert (after.display_name, after.linked_projects_count) == ("Renamed", 0)  # type: ignore[attr-defined]
    assert [binding.project for binding in past.projects_at(account, FEBRUARY)] == [bound_project]
    assert list(past.projects_at(account, MARCH)) == []


def test_all_that_happened_to_an_account_is_in_one_list_with_what_it_changed(
    bound_project: Project, clock: Any
) -> None:
    account = BillingAccount.objects.get(name="us")
    with asked_by("request-17"):
        make.an_approved(account, "Close")
    told, following = timeline(account)
    assert following is None
    assert [(it.kind, it.reason) for it in reversed(told)][:2] == [
        ("BillingAccount", "BillingAccountOpened"),
        ("BillingAccount", "BillingAccountReady"),
    ]
    assert {(it.kind, it.reason) for it in told} >= {
        ("BillingAccountBinding", "SuccessfulBinding"),
        ("BillingAccountBinding", "Superseded"),
        ("ApprovalRequest", "ApprovalRequested"),
        ("ApprovalRequest", "Approved"),
    }
    closed = next(it for it in told if it.kind == "BillingAccount" and "phase" in it.changes and it.at >= APRIL)
    assert closed.changes["phase"] == ("Ready", "Closed")
    assert closed.request_id == "request-17"
    assert closed.approval == account.approval_requests.get().uid
    assert [it.at for it in timeline(account, MARCH)[0]] == [FEBRUARY, JANUARY + MICROSECOND, JANUARY]


def test_a_whole_ledger_has_no_break(bound_project: Project) -> None:
    archive_project(bound_project.pk, actor=make.PLATFORM)
    make.a_binding(make.a_project(bound_project.organization), BillingAccount.objects.get(name="us"))
    assert inspect_ledger() == 0
    assert Inspection.objects.get(name="continuity").succeeded_at
    call_command("ledger", "continuity")


BREAKS = [
    ("second", {"established_at": MARCH + MICROSECOND}, "and the one before it ended at"),
    ("second", {"established_at": MARCH - MICROSECOND}, "while the one before it is still in force"),
    ("second", {"ended_at": APRIL, "phase": "Ended", "end_reason": "Forgotten"}, "nobody pays for the project"),
]


@pytest.mark.parametrize(("binding", "columns", "message"), BREAKS, ids=["gap", "overlap", "unpaid"])
def test_a_break_is_named_counted_and_an_event_of_its_project(
    bound_project: Project, capsys: pytest.CaptureFixture[str], binding: str, columns: dict[str, Any], message: str
) -> None:
    with tamper.guards_off():
        row = BillingAccountBinding.objects.get(name=binding)
        tamper.alter(row, **columns)
    # its history row too, so that only the timeline shows it
    with tamper.guards_off():
        tamper.alter(row.history.latest("history_id"), **columns)
    assert inspect_ledger() == 1
    found = Inspection.objects.get(name="continuity")
    assert (found.violations, found.succeeded_at) == (1, None)
    assert f"{bound_project.name}: binding {binding}" in found.message
    assert message in found.message
    inspect_ledger()
    assert Change.objects.filter(uid=bound_project.uid, reason="ResponsibilityBroken").count() == 1
    with pytest.raises(CommandError, match="1 found by continuity"):
        call_command("ledger", "continuity")
    assert message in capsys.readouterr().err


def test_an_archived_project_that_is_still_paid_for_is_a_break(bound_project: Project) -> None:
    with tamper.guards_off(), transaction():
        bound_project.archive()
        save_as(make.PLATFORM, bound_project, reason="ProjectArchived")
    assert inspect_ledger() == 1
    assert "still in force, and the project is archived" in Inspection.objects.get(name="continuity").message
