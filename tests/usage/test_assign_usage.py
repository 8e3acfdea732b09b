"""Unassigned usage waits in the queue, and a span of it is given to an account by a second person's approval."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from billing.models import UsageAssignment
from billing.services.approvals.decisions import StaleReview
from billing.services.approvals.requests import renew
from billing.services.closed_months import close_month
from billing.services.payer_changes.facts import move_due
from billing.services.usage.assignments import unassigned
from milo.errors import Forbidden, Invalid
from tests.support import make
from tests.support.ledger import causes_of, refused, revisions
from tests.support.make import approve
from tests.support.payer_changes import a_payer_change
from tests.support.threads import at_once
from tests.support.usage import a_correction, an_event, assert_rollup_is_a_recount, paid, rollup, taken

pytestmark = pytest.mark.django_db
SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def metered_project(project: Any) -> Any:
    """A project without a payer, with usage before, in and after March 2026, exact at both ends."""
    instant = timedelta(microseconds=1)
    times = [SINCE - instant, SINCE, UNTIL - instant, UNTIL]
    taken(*(an_event(project, quantity, time=time) for quantity, time in zip("1248", times, strict=True)))
    return project


def proposal(project: Any, since: Any = SINCE, until: Any = UNTIL) -> dict[str, str]:
    return {"project": str(project), "since": str(since), "until": str(until)}


def asked(account: Any, project: Any, *span: datetime) -> Any:
    return make.a_request(account, "AssignUsage", proposal=proposal(project, *span))


def test_the_queue_shows_what_waits_by_project_and_age(metered_project: Any) -> None:
    other = make.a_project(metered_project.organization)
    taken(an_event(other, "5", time=SINCE - 48 * HOUR))
    shown = [(row["name"], str(row["first"]), str(row["last"]), row["count"]) for row in unassigned()]
    expected = [(other.name, "2026-02-27", "2026-02-27", 1), (metered_project.name, "2026-02-28", "2026-04-01", 4)]
    assert shown == expected
    assert list(unassigned(make.an_organization())) == []


def test_an_approved_request_gives_the_span_to_the_account_and_shows_the_amounts(
    metered_project: Any, account: Any
) -> None:
    request = asked(account, metered_project)
    assert request.reviewed["usage"] == [
        {"service": "compute", "meter": "cpu-time", "unit": "s", "quantity": "6", "events": 2}
    ]
    assert paid(rollup(), account) == 0
    before = revisions(metered_project)
    approve(request.pk, actor=make.APPROVER)
    # its lock comes before that of the account, and a revision without could show the past
    assert revisions(metered_project) == before
    assert [paid(rollup(), who) for who in (account, None)] == [6, 9]
    assert_rollup_is_a_recount()
    # what arrives for the span later, or corrects what is in it, belongs to the account too
    late = an_event(metered_project, "16", time=SINCE + HOUR)
    taken(late, a_correction(late, "-6"))
    assert paid(rollup(), account) == 16
    assert_rollup_is_a_recount()


def test_who_asked_does_not_approve_and_usage_that_arrives_meanwhile_is_reviewed(
    metered_project: Any, account: Any
) -> None:
    request = asked(account, metered_project)
    with refused(Forbidden):
        approve(request.pk, actor=make.REQUESTER)
    taken(an_event(metered_project, "16", time=SINCE + HOUR))
    with refused(StaleReview) as caught:
        approve(request.pk, actor=make.APPROVER)
    assert set(causes_of(caught)) == {"reviewed.usage"}
    renew(request.pk, actor=make.REQUESTER)
    approve(request.pk, actor=make.APPROVER)
    assert paid(rollup(), account) == 22


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"project": "nothing"}, "spec.proposal.project"),
        ({"until": "tomorrow"}, "spec.proposal.until"),
        ({"since": str(UNTIL), "until": str(SINCE)}, "spec.proposal.until"),
        ({"since": "2026-03-01T00:00:00"}, "spec.proposal.until"),
        ({"until": "2999-01-01T00:00:00Z"}, "spec.proposal.until"),
        ({"since": "2025-01-01T00:00:00Z", "until": "2025-02-01T00:00:00Z"}, "spec.proposal.since"),
        ({}, "spec.proposal.since"),
    ],
)
def test_a_span_that_cannot_be_given_is_refused(metered_project: Any, account: Any, changed: Any, field: str) -> None:
    if not changed:
        approve(asked(account, metered_project, SINCE, UNTIL).pk, actor=make.APPROVER)
    with refused(Invalid) as caught:
        make.a_request(account, "AssignUsage", proposal=proposal(metered_project) | changed)
    assert set(causes_of(caught)) == {field}


def test_what_a_binding_pays_for_and_what_belongs_to_others_is_refused(metered_project: Any, account: Any) -> None:
    began = make.a_binding(metered_project, account).established_at
    taken(an_event(metered_project, time=began))
    other = make.a_ready_account(metered_project.organization)
    with refused(Invalid):
        make.a_request(other, "AssignUsage", proposal=proposal(metered_project, SINCE, timezone.now()))
    stranger = make.a_ready_account(make.an_organization())
    with refused(Invalid) as caught:
        make.a_request(stranger, "AssignUsage", proposal=proposal(metered_project))
    assert set(causes_of(caught)) == {"spec.proposal.project"}


def test_what_is_given_for_a_closed_month_is_billed_in_the_first_open_one(metered_project: Any, account: Any) -> None:
    close_month(account.pk, SINCE.date(), reason="invoiced", actor=make.PLATFORM)
    approve(asked(account, metered_project).pk, actor=make.APPROVER)
    assert {str(key[5]) for key in rollup(account=account)} == {"2026-04-01"}
    assert_rollup_is_a_recount()


@pytest.mark.django_db(transaction=True)
def test_of_two_approvals_of_one_span_at_once_one_is_refused(metered_project: Any) -> None:
    accounts = [make.a_ready_account(metered_project.organization) for _ in range(2)]
    requests = [asked(account, metered_project) for account in accounts]
    outcomes = at_once([partial(approve, request.pk, actor=make.APPROVER) for request in requests])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ApprovalRequest", "Invalid"]
    assert UsageAssignment.objects.count() == 1
    assert_rollup_is_a_recount()


def test_a_span_in_which_a_payer_change_is_due_waits_for_it(metered_project: Any, account: Any) -> None:
    a_payer_change(account, metered_project, effective_at=None)
    now = timezone.now()
    with refused(Invalid) as caught:
        asked(account, metered_project, SINCE, now)
    assert causes_of(caught) == {"spec.proposal.until": "FieldValueInvalid"}
    move_due()
    with refused(Invalid, "by a binding"):
        asked(account, metered_project, SINCE, now)
    approve(asked(account, metered_project).pk, actor=make.APPROVER)
    assert_rollup_is_a_recount()
