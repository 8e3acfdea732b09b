"""Deciding on a request: by a second person, on what was reviewed, with the refusal on the form."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import ApprovalRequest
from billing.services.approvals import decisions
from billing.services.suspensions import suspend
from billing.terms.payment_terms import LatePaymentPenalty
from milo.identity.actors import actor_of
from tests.admin.browser import browser, buttons, errors, filled_in, page_of, staff, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes


@pytest.fixture
def asker(world: World) -> User:
    """A superuser, who has every role at once."""
    return make.a_person("root", is_staff=True, is_superuser=True)


@pytest.fixture
def request_to_close(world: World, asker: User) -> ApprovalRequest:
    return make.a_request(world.us, "Close", actor=actor_of(asker))


def offered(client: Client, request: ApprovalRequest) -> set[str]:
    return {address.split("/")[-2] for address in buttons(client.get(page_of(request)))}


def test_a_second_person_approves_and_it_takes_effect(
    request_to_close: ApprovalRequest, world: World, approver: Client
) -> None:
    answer = submit(approver, page_of(request_to_close, "approve"))
    assert answer.headers["Location"] == page_of(request_to_close)
    request_to_close.refresh_from_db()
    world.us.refresh_from_db()
    assert (request_to_close.phase, request_to_close.decider, world.us.phase) == ("Approved", "user:approver", "Closed")
    assert offered(approver, request_to_close) == set()


def test_each_person_is_offered_what_is_theirs(
    request_to_close: ApprovalRequest, asker: User, approver: Client, operator: Client, auditor: Client
) -> None:
    assert offered(approver, request_to_close) == {"approve", "reject"}
    assert offered(browser(asker), request_to_close) == {"reject", "renew", "withdraw"}
    assert offered(operator, request_to_close) == set()
    assert offered(auditor, request_to_close) == set()


def test_the_requester_cannot_approve_by_a_forged_post_superuser_or_not(
    request_to_close: ApprovalRequest, asker: User
) -> None:
    with nothing_changes():
        page = submit(browser(asker), page_of(request_to_close, "approve"))
    assert errors(page)["__all__"] == ["you asked for this; a second person must approve it"]


def test_who_last_changed_the_account_cannot_approve(world: World) -> None:
    person = make.a_person("both", groups=("finance-operator", "finance-approver"), is_staff=True)
    suspend(world.us.pk, reason_code="ManualReview", message="look", actor=actor_of(person))
    request = make.a_request(world.us, "Close")
    assert offered(browser(person), request) == {"reject"}
    with nothing_changes():
        page = submit(browser(person), page_of(request, "approve"))
    assert "you changed the account since its last approval" in errors(page)["__all__"][0]


@pytest.mark.parametrize("act", ["withdraw", "renew"])
def test_only_the_requester_withdraws_or_renews(act: str, request_to_close: ApprovalRequest, operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, page_of(request_to_close, act), comment="not mine")
    assert "only user:root can" in errors(page)["__all__"][0]


def test_an_approver_reads_words_and_no_json(world: World, approver: Client) -> None:
    terms = {"netDays": 90, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}
    request = make.a_request(world.us, "ReviseTerms", proposal={"paymentTerms": terms})
    parts = ("change", "background")
    page = "".join(approver.get(page_of(request, part)).content.decode() for part in parts)
    assert "Card reference: cc-12345" in page
    assert all(raw not in page for raw in ("cardReference", "netDays", "{&quot;"))
    assert "Net days: 30 \N{RIGHTWARDS ARROW} 90" in approver.get(page_of(request, "approve")).content.decode()


def test_an_approver_sees_that_terms_left_out_of_a_proposal_end(world: World, approver: Client) -> None:
    late = LatePaymentPenalty(Decimal("9.12"), 5)
    account = make.a_ready_account(world.organization, payment_terms=replace(make.TERMS, late_payment_penalty=late))
    terms = {"netDays": 90, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}
    request = make.a_request(account, proposal={"paymentTerms": terms})
    ends = ["Late payment penalty", "Annual rate percent: 9.12<br>Grace days: 5", "-"]
    assert ends in approver.get(page_of(request)).context["panels"][0].rows
    form = approver.get(page_of(request, "approve")).content.decode()
    assert "Annual rate percent: 9.12; Grace days: 5 \N{RIGHTWARDS ARROW} -" in form


def test_what_has_changed_since_stands_on_the_page_and_in_the_refusal(
    request_to_close: ApprovalRequest, world: World, approver: Client
) -> None:
    suspend(world.us.pk, reason_code="ManualReview", message="look", actor=make.PLATFORM)
    page = approver.get(page_of(request_to_close))
    [panel] = page.context["changed"]
    assert ["Phase", "Ready", "Suspended"] in panel.rows
    assert "until user:root renews it" in page.content.decode()
    assert offered(approver, request_to_close) == {"reject"}
    with nothing_changes():
        page = submit(approver, page_of(request_to_close, "approve"))
    assert "Phase: Ready \N{RIGHTWARDS ARROW} Suspended" in errors(page)["__all__"]


def test_a_renewed_request_can_be_approved_but_not_by_a_form_opened_before(
    request_to_close: ApprovalRequest, asker: User, world: World, approver: Client
) -> None:
    address = page_of(request_to_close, "approve")
    opened_before = filled_in(approver.get(address))
    suspend(world.us.pk, reason_code="ManualReview", message="look", actor=make.PLATFORM)
    assert submit(browser(asker), page_of(request_to_close, "renew")).status_code == 302
    assert approver.get(page_of(request_to_close)).context["changed"] == []
    with nothing_changes():
        assert "has been modified" in errors(approver.post(address, opened_before))["__all__"][0]
    assert submit(approver, address).status_code == 302


@pytest.mark.parametrize(
    ("act", "who", "phase"), [("reject", "approver", "Rejected"), ("withdraw", "root", "Withdrawn")]
)
def test_a_no_needs_a_comment_and_stays(
    act: str, who: str, phase: str, request_to_close: ApprovalRequest, approver: Client, asker: User
) -> None:
    client = {"approver": approver, "root": browser(asker)}[who]
    address = page_of(request_to_close, act)
    with nothing_changes():
        assert list(errors(submit(client, address, comment=" "))) == ["comment"]
    submit(client, address, comment="not this month")
    request_to_close.refresh_from_db()
    assert (request_to_close.phase, request_to_close.comment) == (phase, "not this month")


def test_what_is_decided_is_not_decided_again(
    request_to_close: ApprovalRequest, world: World, approver: Client, asker: User
) -> None:
    decisions.reject(request_to_close.pk, comment="no", actor=make.APPROVER)
    for client, acts in ((approver, ("approve", "reject")), (browser(asker), ("withdraw", "renew"))):
        assert offered(client, request_to_close) == set()
        for act in acts:
            with nothing_changes():
                page = submit(client, page_of(request_to_close, act), comment="again")
            assert "is Rejected already" in errors(page)["__all__"][0]


def test_a_blocker_that_came_meanwhile_is_named(
    request_to_close: ApprovalRequest, world: World, approver: Client
) -> None:
    make.a_binding(make.a_project(world.organization, "data-lake"), world.us)
    address = page_of(request_to_close, "approve")
    sent = filled_in(approver.get(address))
    with nothing_changes(), CaptureQueriesContext(connection) as queries:
        page = approver.post(address, sent)
    assert sum('FROM "billing_defaultaccount"' in query["sql"] for query in queries) == 1
    assert "lists what stands in the way" in " ".join(errors(page)["__all__"])
    assert "project data-lake is bound to the account" in str(dict(page.context["facts"])["What stands in the way"])


@pytest.mark.parametrize("role", ["finance-operator", "auditor"])
def test_who_does_not_decide_gets_nothing_decided(role: str, request_to_close: ApprovalRequest) -> None:
    client = staff(role)
    with nothing_changes():
        for act in ("approve", "reject"):
            assert client.post(page_of(request_to_close, act), {"comment": "x"}).status_code == 403
