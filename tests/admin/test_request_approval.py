"""Asking for what a second person must approve: a button for each act that the phase allows."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import ApprovalRequest
from billing.services.payer_locks import lock_payer
from tests.admin.browser import buttons, errors, filled_in, page_of, submit
from tests.admin.conftest import Life, World
from tests.support import make
from tests.support.clock import Travel, travelling
from tests.support.ledger import authors, nothing_changes

pytestmark = pytest.mark.once

__all__ = ["travelling"]

JUSTIFIED = {"justification": "agreed with the customer"}


@pytest.mark.parametrize(
    ("phase", "offered"),
    [
        ("Incomplete", {"request-closure", "request-terms"}),
        ("Ready", {"request-closure", "request-terms", "request-assignment"}),
        ("Suspended", {"request-reactivation", "request-closure", "request-terms", "request-assignment"}),
        ("Closed", {"request-reopening"}),
        ("Archived", set()),
    ],
)
def test_a_phase_offers_what_makes_sense_in_it(phase: str, offered: set[str], world: World, operator: Client) -> None:
    account = make.in_phase(make.a_ready_account(world.organization), phase)
    shown = {address.split("/")[-2] for address in buttons(operator.get(page_of(account)))}
    assert {act for act in shown if act.startswith("request-")} == offered


def test_asking_to_close_changes_the_account_not_at_all_and_shows_the_request(world: World, operator: Client) -> None:
    answer = submit(operator, page_of(world.us, "request-closure"), **JUSTIFIED)
    request = ApprovalRequest.objects.get()
    assert answer.headers["Location"] == page_of(request)
    assert (request.act, request.phase, request.requester) == ("Close", "Pending", "user:operator")
    assert authors(request) == {"user:operator"}
    world.us.refresh_from_db()
    assert world.us.phase == "Ready"


def test_the_form_to_close_lists_every_blocker_and_the_refusal_does_not_again(
    life: Life, world: World, operator: Client
) -> None:
    lock_payer(world.project.pk, reason="audit", actor=make.PLATFORM)
    page = page_of(world.us, "request-closure")
    in_the_way = str(dict(operator.get(page).context["facts"])["What stands in the way"])
    sent = filled_in(operator.get(page), **JUSTIFIED)
    with nothing_changes(), CaptureQueriesContext(connection) as queries:
        answer = operator.post(page, sent)
    [refusal] = errors(answer)["__all__"]
    assert "lists what stands in the way" in refusal
    assert sum('FROM "billing_defaultaccount"' in query["sql"] for query in queries) == 1
    for said in ("12.50", "invoice 12 is disputed", "a request to Revise terms is pending"):
        assert said in in_the_way
        assert answer.content.decode().count(said) == 1
    answer = submit(operator, page_of(world.eu, "request-closure"), **JUSTIFIED)
    assert "BillingAccountBinding" not in answer.content.decode()
    assert page_of(world.project, "unlock-payer") in str(dict(answer.context["facts"])["What stands in the way"])


def test_reactivation_waits_for_open_suspensions_which_are_named(life: Life, world: World, operator: Client) -> None:
    page = operator.get(page_of(world.us, "request-reactivation"))
    assert "Manual review" in str(dict(page.context["facts"])["Open suspensions, to be resolved first"])
    with nothing_changes():
        page = submit(operator, page_of(world.us, "request-reactivation"), **JUSTIFIED)
    assert "Manual review" in " ".join(errors(page)["__all__"])


def test_other_terms_begin_with_those_of_now(world: World, operator: Client) -> None:
    submit(operator, page_of(world.us, "request-terms"), net_days="90", **JUSTIFIED)
    terms = ApprovalRequest.objects.get().proposal["paymentTerms"]
    assert terms == {"netDays": 90, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}


def test_terms_that_lack_something_are_refused_at_their_field(world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, page_of(world.us, "request-terms"), net_days="", **JUSTIFIED)
    assert "net_days" in errors(page)


def test_reopening_is_asked_for_a_closed_account(world: World, operator: Client) -> None:
    account = make.in_phase(make.a_ready_account(world.organization), "Closed")
    submit(operator, page_of(account, "request-reopening"), **JUSTIFIED)
    assert ApprovalRequest.objects.pending().get().act == "Reopen"


def test_a_second_request_of_one_kind_and_one_without_justification_are_refused(world: World, operator: Client) -> None:
    address = page_of(world.us, "request-closure")
    with nothing_changes():
        assert list(errors(submit(operator, address, justification=" "))) == ["justification"]
    submit(operator, address, **JUSTIFIED)
    with nothing_changes():
        assert "is pending already" in " ".join(errors(submit(operator, address, **JUSTIFIED))["__all__"])


def test_who_decides_does_not_ask(world: World, approver: Client) -> None:
    assert buttons(approver.get(page_of(world.us))) == set()
    with nothing_changes():
        assert approver.post(page_of(world.us, "request-closure"), JUSTIFIED).status_code == 403


def test_redating_is_offered_on_the_account_that_a_wrong_clock_has_bound(
    world: World, operator: Client, travelling: Travel
) -> None:
    address = page_of(world.us, "request-redating")
    assert address not in buttons(operator.get(page_of(world.us)))
    with travelling(timedelta(days=15)):
        make.a_binding(world.project, world.us, "ahead")
    assert address in buttons(operator.get(page_of(world.us)))
    assert page_of(world.eu, "request-redating") not in buttons(operator.get(page_of(world.eu)))
    with nothing_changes():
        assert "project" in errors(submit(operator, address, project="another", **JUSTIFIED))
    submit(operator, address, project=world.project.pk, **JUSTIFIED)
    request = ApprovalRequest.objects.get()
    assert (request.act, request.proposal) == ("RedateBindings", {"project": world.project.name})
    assert [it["name"] for it in request.reviewed["bindings"]] == ["second", "ahead"]
