"""The page of a request: what a decision is about, the decision itself, and the way to the next request."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.admin.decision_queue import age_badge
from billing.models import ApprovalRequest
from billing.services.approvals import requests
from billing.services.suspensions import suspend
from milo.admin.reasons import reason
from milo.identity.actors import actor_of
from tests.admin.browser import browser, list_of, page_of, panels_of_request, staff
from tests.admin.conftest import World
from tests.admin.test_requests_as_reviewed import CASES
from tests.support import make
from tests.support.ledger import nothing_changes

INBOX = list_of(ApprovalRequest)
# what each action shows besides, and compares with its review, differs
QUERIES, MOST_QUERIES = 19, 28


@pytest.fixture
def asker(world: World) -> User:
    return make.a_person("both", groups=("finance-operator", "finance-approver"), is_staff=True)


@pytest.fixture
def three(world: World) -> list[ApprovalRequest]:
    return [make.a_request(make.a_ready_account(world.organization)) for _number in range(3)]


def decision(client: Client, request: ApprovalRequest) -> dict[str, Any]:
    found: dict[str, Any] = client.get(page_of(request)).context["decision"]
    return found


def send(client: Client, request: ApprovalRequest, title: str, **answers: Any) -> Any:
    """Fill in the form of the decision as it is on the page, and press the button of that title."""
    shown = decision(client, request)
    [choice] = [choice for choice in shown["choices"] if choice.title == title]
    return client.post(choice.address, {field.html_name: field.value() or "" for field in shown["form"]} | answers)


def panel(client: Client, request: ApprovalRequest, title: str) -> list[list[str]]:
    shown = panels_of_request(client, request)
    [found] = [panel for panel in shown if panel.title == title]
    return [[str(cell) for cell in row] for row in found.rows]


def test_what_waits_is_listed_oldest_first_with_what_it_is_about(
    three: list[ApprovalRequest], world: World, approver: Client
) -> None:
    page = approver.get(INBOX, {"inbox": "to-decide"})
    assert list(page.context["cl"].result_list) == three
    text = page.content.decode()
    for said in ("0\xa0minutes: new", "acme-corp", "Net days: 30 → 90", "agreed with the customer"):
        assert said in text
    assert list(approver.get(INBOX).context["cl"].result_list) == three[::-1]


@pytest.mark.parametrize(
    ("waited", "days", "words", "kind"),
    [
        (timedelta(hours=2), 14, "2\xa0hours: new", "green"),
        (timedelta(days=3), 14, "3\xa0days: waits", "blue"),
        (timedelta(days=8), 14, "1\xa0week: decide soon", "orange"),
        (timedelta(days=13), 14, "1\xa0week: expires in 1\xa0day", "red"),
        (timedelta(days=15), 14, "2\xa0weeks: expired", "red"),
    ],
)
def test_the_age_is_said_in_words_and_in_color(waited: timedelta, days: int, words: str, kind: str) -> None:
    at = timezone.now() - waited - timedelta(minutes=1)
    row = ApprovalRequest(requested_at=at, expires_at=at + timedelta(days=days, minutes=2), phase="Pending")
    shown = age_badge(row)
    assert words in shown
    assert f"bg-{kind}-100" in shown
    assert age_badge(ApprovalRequest(requested_at=at, expires_at=at, phase="Approved")) == "-"


def test_from_a_request_the_neighbors_are_one_key_away(three: list[ApprovalRequest], approver: Client) -> None:
    first, second, third = three
    around = approver.get(page_of(second)).context["around"]
    assert around == {"previous": page_of(first), "next": page_of(third)}
    assert approver.get(page_of(third)).context["around"] == {"previous": page_of(second)}
    text = approver.get(page_of(second)).content.decode()
    assert 'accesskey="n"' in text
    assert 'accesskey="p"' in text


def test_after_a_decision_the_next_request_follows_and_then_the_oldest(
    three: list[ApprovalRequest], approver: Client
) -> None:
    first, second, third = three
    assert send(approver, second, "Approve").headers["Location"] == page_of(third)
    assert send(approver, third, "Reject", comment="not this month").headers["Location"] == page_of(first)
    answer = send(approver, first, "Approve", comment="as agreed")
    assert answer.headers["Location"] == page_of(first)
    assert "Approved" in approver.get(page_of(first)).content.decode()
    first.refresh_from_db()
    assert (first.phase, first.comment) == ("Approved", "as agreed")


def test_a_rejection_without_a_comment_is_refused_and_keeps_the_page(
    three: list[ApprovalRequest], approver: Client
) -> None:
    with nothing_changes():
        page = send(approver, three[0], "Reject", comment=" ")
    assert list(page.context["form"].errors) == ["comment"]


@pytest.mark.parametrize("title", ["Approve", "Reject"])
def test_what_was_renewed_since_the_page_was_shown_is_not_decided_unseen(
    title: str, world: World, approver: Client
) -> None:
    request = make.a_request(world.us, "Close")
    shown = decision(approver, request)
    suspend(world.us.pk, reason_code="ManualReview", message="look", actor=make.PLATFORM)
    requests.renew(request.pk, actor=make.REQUESTER)
    [choice] = [choice for choice in shown["choices"] if choice.title == title]
    values = {field.html_name: field.value() or "" for field in shown["form"]} | {"comment": "as agreed"}
    with nothing_changes():
        page = approver.post(choice.address, values)
    assert "has been modified" in page.context["form"].errors["__all__"][0]


def test_who_asked_sees_approve_greyed_with_the_reason(world: World, asker: User) -> None:
    request = make.a_request(world.us, actor=actor_of(asker))
    shown = decision(browser(asker), request)
    assert [(str(choice.title), bool(choice.obstacle)) for choice in shown["choices"]] == [
        ("Approve", True),
        ("Reject", False),
    ]
    text = browser(asker).get(page_of(request)).content.decode()
    assert "You asked for this; a second person must approve it." in text
    assert "disabled" in text


def test_who_has_no_role_to_decide_reads_which_one_it_takes(world: World, operator: Client, auditor: Client) -> None:
    request = make.a_request(world.us)
    for client in (operator, auditor):
        shown = decision(client, request)
        assert shown["obstacles"] == ["only a person with the role finance-approver decides requests"]
        assert shown["form"] is None


def test_a_stale_request_has_a_red_banner_and_no_button_to_approve_it(world: World, approver: Client) -> None:
    request = make.a_request(world.us, "Close")
    suspend(world.us.pk, reason_code="ManualReview", message="look", actor=make.PLATFORM)
    page = approver.get(page_of(request))
    assert [str(choice.title) for choice in page.context["decision"]["choices"]] == ["Reject"]
    text = page.content.decode()
    assert "Approve</button>" not in "".join(text.split())
    assert "Reject</button>" in "".join(text.split())
    assert text.index("Nobody can approve this until") < text.index("agreed with the customer")
    # the page of the action itself has no button either
    own = approver.get(page_of(request, "approve")).content.decode()
    assert "Nobody can approve this until" in own
    assert "Approve</button>" not in "".join(own.split())


def test_a_decided_request_offers_no_decision(world: World, approver: Client) -> None:
    request = make.a_request(world.us)
    send(approver, request, "Reject", comment="no")
    assert decision(approver, request) is None


def test_a_closure_shows_phase_projects_charges_recipients_and_checklist(world: World, approver: Client) -> None:
    make.a_person("boss", roles={world.organization: "billing-admin"}, email="boss@acme-corp.example")
    request = make.a_request(world.us, "Close")
    assert panel(approver, request, "What changes") == [["Phase", "Ready", "Closed"]]
    concerned = {row[0]: row[1] for row in panel(approver, request, "Whom it concerns")}
    assert concerned["Projects"] == "-"
    assert "boss@acme-corp.example" in concerned["Who gets a notice"]
    assert "invoices@acme-corp.example" in concerned["Who gets a notice"]
    make.a_binding(make.a_project(world.organization, "late"), world.us)
    assert "late" in panel(approver, request, "Whom it concerns")[0][1]
    [obstacle] = panel(approver, request, "What keeps it from being closed")
    assert "project late is bound to the account" in obstacle
    recent = panel(approver, request, "What happened to the account lately")
    assert any(reason("ApprovalRequested") in row for row in recent)


def test_new_terms_show_the_changed_lines_only(world: World, approver: Client) -> None:
    request = make.a_request(world.us)
    assert panel(approver, request, "What changes") == [["Net days", "30", "90"]]


@pytest.mark.once  # queries are the same on both engines
def test_the_page_takes_as_few_queries_for_many_projects_accounts_and_requests(world: World, approver: Client) -> None:
    request = make.a_request(world.us)
    approver.get(page_of(request))
    counts = []
    for more in (2, 22):
        for _each in range(more):
            make.a_binding(make.a_project(world.organization), world.us)
            make.a_request(make.a_ready_account(world.organization))
        with CaptureQueriesContext(connection) as queries:
            page = approver.get(page_of(request))
        counts.append(len(queries))
    assert "and 4 more" in page.content.decode()
    assert counts[1] <= counts[0] <= QUERIES


@pytest.mark.once  # queries are the same on both engines
@pytest.mark.parametrize("action", CASES)
def test_the_page_of_every_action_takes_few_queries(action: str, world: World) -> None:
    client = staff("finance-approver", name="second-approver")
    address = page_of(CASES[action][0](world.us))
    client.get(address)  # what a process looks up once is not the page's
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    assert len(queries) <= MOST_QUERIES
