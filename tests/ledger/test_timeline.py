"""The timeline of an account in pages: nothing twice, nothing left out, whatever happened at one instant."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from billing.models import BillingAccount
from billing.services.affiliations.cancellations import cancel
from billing.services.holds import set_hold
from billing.services.timeline import HISTORIES, Cursor, TimelineEvent, timeline
from milo.errors import Invalid
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.ledger import refused

pytestmark = pytest.mark.django_db
INSTANT = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)


@pytest.fixture
def busy_account(monkeypatch: pytest.MonkeyPatch) -> BillingAccount:
    """An account of which everything happened at two instants, to several objects of each kind."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: INSTANT)
    organization = make.an_organization()
    account = make.a_ready_account(organization)
    for _ in range(5):
        make.a_binding(make.a_project(organization), account)
    make.a_request(account)
    make.delivered_at_once(account, 7)
    return account


def pages(account: BillingAccount, limit: int, before: datetime | None = None) -> list[list[TimelineEvent]]:
    found, after = [], None
    while True:
        page, after = timeline(account, before, after, limit=limit)
        found.append(page)
        if after is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_its_pages_are_the_whole_in_the_same_order(limit: int, busy_account: BillingAccount) -> None:
    whole, following = timeline(busy_account)
    assert following is None
    assert len({event.at for event in whole}) < len(whole) / 2
    found = pages(busy_account, limit)
    assert [event for page in found for event in page] == whole
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert all(newer.at >= older.at for newer, older in pairwise(whole))
    assert len({event.place for event in whole}) == len(whole)


def test_what_an_account_came_under_is_in_its_timeline(db: None) -> None:
    organization = make.an_organization()
    child, parent = make.a_ready_account(organization), make.a_ready_account(organization)
    plan = an_affiliation(child, parent, after=1)
    cancel(plan.pk, reason="put off", actor=make.PLATFORM)
    events = [event for event in timeline(child)[0] if event.kind == "BillingAccountAffiliation"]
    assert [(event.reason, event.name, event.row_id) for event in events] == [
        ("AffiliationCancelled", plan.name, plan.pk),
        ("AffiliationPlanned", plan.name, plan.pk),
    ]
    assert events[0].changes["phase"] == ("Scheduled", "Cancelled")
    assert not [event for event in timeline(parent)[0] if event.kind == "BillingAccountAffiliation"]


def test_before_an_instant_the_pages_are_those_of_what_happened_earlier(busy_account: BillingAccount) -> None:
    whole, _following = timeline(busy_account)
    newest = whole[0].at
    older = [event for event in whole if event.at < newest]
    assert [event for page in pages(busy_account, 2, newest) for event in page] == older


def test_what_happens_meanwhile_moves_no_page(busy_account: BillingAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _following = timeline(busy_account)
    first, after = timeline(busy_account, limit=3)
    monkeypatch.undo()
    set_hold(busy_account.pk, type="Dispute", message="an invoice is disputed", actor=make.PLATFORM)
    assert len(timeline(busy_account)[0]) == len(whole) + 1
    rest, _following = timeline(busy_account, after=after)
    assert first + rest == whole


def test_a_page_takes_a_constant_number_of_queries(
    busy_account: BillingAccount, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(2 * len(HISTORIES) + 1):
        timeline(busy_account, limit=5)


def test_a_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor(INSTANT, 3, 2**40)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "token", ["", "x", "\u00e9", "W10", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsMCwwXQ", "W1tbW1tbW1tbW1tb" * 2000]
)
def test_a_token_that_no_page_gave_is_refused(token: str) -> None:
    with refused(Invalid) as caught:
        Cursor.parse(token)
    assert [cause.field for cause in caught.value.causes] == ["query.continue"]
