"""One range of times for usage: what the intake takes can be read, assigned and verified."""

from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing.models import UsageEvent, UsageRollup
from billing.services.usage import recounts
from billing.services.usage.intake import report
from billing.services.usage.reports import UsageQuery, of_project
from billing.usage.times import EARLIEST, END, FIRST, LATEST
from milo.errors import Invalid
from projects.models import Project
from tests.support import make
from tests.support.ledger import nothing_changes, refused
from tests.support.usage import REPORTER, an_event, reasons, taken

pytestmark = pytest.mark.django_db
MOMENT = timedelta(microseconds=1)


def test_an_event_before_all_readings_is_rejected(project: Project) -> None:
    for time in (
        "0001-01-01T00:00:00Z",
        "1066-10-14T09:00:00Z",
        (FIRST - MOMENT).isoformat(),
        "1900-01-01T00:00:00+14:00",
    ):
        with nothing_changes():
            receipt = report([an_event(project, time=time)], actor=REPORTER)
        assert reasons(receipt) == {0: ("time", "FieldValueInvalid")}
        assert "must lie between 1900-01-01 and 9000-01-01" in receipt.rejections[0].cause.message
    assert not UsageEvent.objects.exists()


def test_the_very_first_event_can_be_read_and_is_verified(project: Project) -> None:
    taken(an_event(project, "2", time=FIRST), an_event(project, "3"))
    (line,) = of_project(project, UsageQuery(EARLIEST, EARLIEST + timedelta(days=1)))
    assert line.quantity == 2
    (whole,) = of_project(project, UsageQuery(EARLIEST, LATEST))
    assert whole.quantity == 5
    assert [recounts.verify(chunk) for chunk in recounts.chunks(project)] == [{}, {}]


def test_what_no_event_can_have_no_reading_takes(project: Project) -> None:
    for start, end in ((EARLIEST - timedelta(days=1), EARLIEST), (EARLIEST, LATEST + timedelta(days=1))):
        with refused(Invalid):
            of_project(project, UsageQuery(start, end))
    assert (FIRST.date(), END.date()) == (EARLIEST, LATEST)


def test_verify_leaps_over_months_without_usage(project: Project, monkeypatch: Any) -> None:
    # as an earlier version took it
    monkeypatch.setattr("billing.usage.cloudevents.FIRST", datetime(1, 1, 2, tzinfo=UTC))
    taken(an_event(project, time=datetime(1066, 10, 14, tzinfo=UTC)), an_event(project))
    months = [chunk.month for chunk in recounts.chunks(project)]
    assert months[0] == date(1066, 10, 1)
    assert len(months) == 2
    UsageRollup.objects.filter(starts_on__year=1066).delete()
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("usage", "verify", stdout=out, stderr=out)


@pytest.mark.parametrize("month", ["1899-12", "9000-01", "2026-W01", "202601", "2026-1"])
def test_verify_takes_months_in_which_usage_can_lie(month: str) -> None:
    with pytest.raises(CommandError):
        call_command("usage", "verify", "--from", month)


def test_an_assignment_reaches_no_further(project: Project) -> None:
    account = make.a_ready_account(project.organization)
    taken(an_event(project, time=FIRST))
    proposal = {"project": project.name, "since": (FIRST - MOMENT).isoformat(), "until": "2026-01-01T00:00:00+00:00"}
    with refused(Invalid, "must lie between 1900-01-01 and 9000-01-01"):
        make.a_request(account, "AssignUsage", proposal=proposal)
    make.a_request(account, "AssignUsage", proposal=proposal | {"since": FIRST.isoformat()})
