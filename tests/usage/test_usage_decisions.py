"""What is decided about usage is history: who closed a month and why, who assigned a span, by which approval."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from billing.models import UsageAssignment, UsageClosing
from billing.services.closed_months import close_month
from billing.services.timeline import timeline
from milo.ledger import seals
from milo.ledger.verification import verify
from tests.support import make, tamper

pytestmark = pytest.mark.django_db
MONTH = date(2025, 12, 31)


def test_who_closed_a_month_and_why_stands_in_the_timeline_of_the_account() -> None:
    account = make.a_ready_account(make.an_organization())
    closing = close_month(account.pk, MONTH, reason="invoiced", actor=make.PLATFORM)
    event = timeline(account)[0][0]
    assert (event.kind, event.reason, event.message) == ("UsageClosing", "UsageClosed", "2025-12: invoiced")
    assert event.actor == make.PLATFORM.name
    (past,) = UsageClosing.history.filter(id=closing.pk)
    assert (past.closed_by, past.reason, past.opens_on) == (make.PLATFORM.name, "invoiced", date(2026, 1, 1))


@pytest.mark.parametrize(
    "columns", [{"closed_by": "user:nobody"}, {"reason": "another"}, {"opens_on": date(2026, 2, 1)}], ids=str
)
def test_a_closing_that_was_altered_is_named(columns: dict[str, object]) -> None:
    account = make.a_ready_account(make.an_organization())
    closing = close_month(account.pk, MONTH, reason="invoiced", actor=make.PLATFORM)
    seals.seal()
    assert verify().faults == []
    with tamper.guards_off():
        tamper.alter(closing, **columns)
    (fault,) = verify().faults
    assert (fault.table, fault.row) == ("billing_usageclosing", closing.pk)
    with tamper.guards_off():
        tamper.alter(UsageClosing.history.get(), **columns)
    assert "billing_historicalusageclosing" in {fault.table for fault in verify().faults}


def test_an_assignment_stands_in_the_timeline_and_is_proved() -> None:
    organization = make.an_organization()
    account, project = make.a_ready_account(organization), make.a_project(organization)
    now = timezone.now()
    assignment = make.an_assignment(
        project, make.a_request(account), starts_at=now - timedelta(hours=2), ends_at=now - timedelta(hours=1)
    )
    assert timeline(account)[0][0].reason == "UsageAssigned"
    seals.seal()
    with tamper.guards_off():
        UsageAssignment._base_manager.filter(pk=assignment.pk)._raw_delete("default")
    assert ("billing_usageassignment", assignment.pk) in {(fault.table, fault.row) for fault in verify().faults}
