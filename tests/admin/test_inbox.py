"""The inbox of approval requests: mine to decide, mine waiting, done, and how many wait for me."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.admin import decision_queue
from billing.models import ApprovalRequest
from billing.services.approvals import decisions, reviews
from billing.services.suspensions import suspend
from milo.admin import panels
from milo.compiled_queries import CompiledQuery
from milo.identity.actors import actor_of
from tests.admin.browser import browser, list_of
from tests.admin.conftest import World
from tests.support import make

pytestmark = pytest.mark.once

INBOX = list_of(ApprovalRequest)


@pytest.fixture
def both() -> User:
    """A person who may ask and decide."""
    return make.a_person("both", groups=("finance-operator", "finance-approver"), is_staff=True)


def shown(client: Client, view: str) -> set[ApprovalRequest]:
    return set(client.get(INBOX, {"inbox": view}).context["cl"].result_list)


def badge(client: Client) -> Any:
    """The number beside the inbox in the side bar."""
    groups = client.get("/admin/").context["sidebar_navigation"]
    [item] = [item for group in groups for item in group["items"] if item["link"] == INBOX]
    return item.get("badge")


def test_mine_to_decide_are_those_that_four_eyes_leave_me(world: World, both: User, approver: Client) -> None:
    me = actor_of(both)
    mine = make.a_request(world.us, actor=me)
    other = make.a_request(make.a_ready_account(world.organization))
    edited = suspend(world.eu.pk, reason_code="ManualReview", message="look", actor=me)
    by_me_last = make.a_request(edited)
    assert reviews.editors(edited) == {me.name}
    assert shown(browser(both), "to-decide") == {other}
    assert shown(approver, "to-decide") == {mine, other, by_me_last}


def test_mine_waiting_and_done(world: World, both: User, operator: Client) -> None:
    mine = make.a_request(world.us, actor=actor_of(both))
    done = decisions.reject(make.a_request(world.eu).pk, comment="no", actor=make.APPROVER)
    assert shown(browser(both), "waiting") == {mine}
    assert shown(browser(both), "done") == {done}
    assert shown(operator, "waiting") == set()
    assert shown(operator, "") == {mine, done}


def test_one_whose_time_ran_out_waits_for_nobody(world: World, approver: Client, settings: Any) -> None:
    settings.MILO_APPROVAL_DAYS = 0
    make.a_request(world.us)
    assert shown(approver, "to-decide") == set()


def test_the_list_leads_to_its_views_and_says_which_is_shown(world: World, approver: Client) -> None:
    views = approver.get(INBOX, {"inbox": "waiting"}).context["views"]
    assert [(str(title), is_shown) for title, _address, is_shown in views] == [
        ("All", False),
        ("Mine to decide", False),
        ("Mine waiting", True),
        ("Done", False),
    ]
    assert {approver.get(address).status_code for _title, address, _shown in views} == {200}


def test_the_side_bar_and_the_overview_count_what_waits_for_me_alone(
    world: World, both: User, approver: Client, operator: Client
) -> None:
    assert badge(approver) is None
    make.a_request(world.us, actor=actor_of(both))
    make.a_request(world.eu)
    assert (badge(approver), badge(browser(both)), badge(operator)) == ("2", "1", None)
    attention = {item.title: item for item in approver.get("/admin/").context["attention"]}
    waiting = attention["Requests for you to decide"]
    assert waiting.count == approver.get(waiting.address).context["cl"].result_count == 2
    titles = {item.title for item in operator.get("/admin/").context["attention"]}
    assert "Requests for you to decide" not in titles


def test_the_side_bar_counts_no_further_than_it_shows(
    world: World, approver: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (panels, decision_queue):
        monkeypatch.setattr(module, "MOST_COUNTED", 1)
    monkeypatch.setattr(decision_queue, "_AWAITING", CompiledQuery(decision_queue._awaiting))
    make.a_request(world.us)
    assert badge(approver) == "1"
    make.a_request(world.eu)
    with CaptureQueriesContext(connection) as queries:
        assert badge(approver) == "1+"
    asked = [query["sql"] for query in queries if 'FROM "billing_approvalrequest"' in query["sql"]]
    assert asked
    assert all(" LIMIT " in sql for sql in asked)


def test_the_inbox_takes_as_many_queries_for_twelve_requests_as_for_two(world: World, approver: Client) -> None:
    approver.get(INBOX)
    counts = []
    for more in (2, 10):
        for _each in range(more):
            make.a_request(make.a_ready_account(world.organization))
        with CaptureQueriesContext(connection) as queries:
            assert len(shown(approver, "to-decide")) >= more
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_prepared_statement_finds_the_few_that_wait_by_their_index() -> None:
    """The phase is no parameter: for any phase, PostgreSQL would read all requests that were ever decided."""
    sql, parameters = ApprovalRequest.objects.pending().query.sql_with_params()
    assert "= 'Pending'" in sql
    assert parameters == ()
