"""A trace goes from the header of a client through the log of the request to the tasks that it publishes."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from django.test import Client

from billing.models import Announcement, BillingAccount, Notice
from billing.tasks import announce_standing, deliver_notices, expire_requests
from milo import traces
from milo.asgi import application
from milo.celery import app
from milo.task_runs import begin, end, send_trace
from projects.models import Organization
from tests.api.client import ACCOUNTS, Api
from tests.support import make

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (PARENT, True),
        (f"00-{TRACE}-{SPAN}-00", True),
        # a later version may have more, and keeps the first four parts
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what-comes", True),
        (f"cc-{TRACE}-{SPAN}-01.what", False),
        (f"00-{TRACE}-{SPAN}-01-what", False),
        (f"ff-{TRACE}-{SPAN}-01", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE.upper()}-{SPAN}-01", False),
        (f"00-{TRACE}-{SPAN}-1", False),
        (f"00-{TRACE}-{SPAN}", False),
        (f" {PARENT}", False),
        (f"{PARENT}\n", False),
        (PARENT.replace("4", "\u0664"), False),
        ("", False),
    ],
)
def test_a_traceparent_of_the_recommendation_is_accepted_and_any_other_begins_a_trace(
    header: str, accepted: bool
) -> None:
    with traces.span("step", header) as step:
        assert (step.trace_id == TRACE) is accepted
        assert step.span_id != SPAN
        assert traces.parse(traces.traceparent()) == traces.Span(step.trace_id, step.span_id, step.sampled)
        assert len(traces.traceparent()) == traces.LENGTH
    assert traces.traceparent() == ""


def test_the_sampled_flag_is_kept_and_others_are_not() -> None:
    with traces.span("step", f"00-{TRACE}-{SPAN}-03"):
        assert traces.traceparent().endswith("-01")
    with traces.span("step", f"00-{TRACE}-{SPAN}-02"):
        assert traces.traceparent().endswith("-00")


def test_the_line_of_a_request_has_the_trace_of_its_client(
    capsys: pytest.CaptureFixture[str], json_lines: None
) -> None:
    Client().get("/version", headers={"traceparent": PARENT})

    async def ask() -> httpx.Response:
        served: Any = application
        async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://127.0.0.1") as client:
            return await client.get("/version", headers={"traceparent": PARENT})

    assert asyncio.run(ask()).status_code == 200
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["trace_id"] for line in lines if line["event"] == "request"] == [TRACE] * 2
    assert len({line["span_id"] for line in lines} | {SPAN}) == 3


def test_a_task_continues_the_trace_of_the_request_that_published_it() -> None:
    with app.connection_for_write() as connection:
        with traces.span("request", PARENT) as request:
            expire_requests.apply_async(connection=connection, queue="traced")
        expire_requests.apply_async(connection=connection, queue="traced")
        with connection.SimpleQueue("traced") as queue:
            inside, outside = (queue.get(timeout=5) for _message in range(2))
    assert inside.headers["traceparent"] == request.traceparent
    assert "traceparent" not in outside.headers
    expire_requests.push_request(**inside.headers)
    try:
        begin(task=expire_requests, task_id="t-1")
        assert traces.traceparent()[3:35] == TRACE
        end(task=expire_requests, state="SUCCESS")
    finally:
        expire_requests.pop_request()
    assert traces.traceparent() == ""


def test_headers_of_a_task_outside_of_a_trace_stay_as_they_are() -> None:
    headers: dict[str, Any] = {}
    send_trace(headers=headers)
    assert headers == {}


@pytest.mark.django_db
def test_a_task_without_a_trace_begins_one(capsys: pytest.CaptureFixture[str], json_lines: None) -> None:
    expire_requests.apply()
    expire_requests.apply()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len({line["trace_id"] for line in lines if line["event"] == "task"}) == 2


def test_what_a_request_queues_is_delivered_in_its_trace(
    organization: Organization, mailoutbox: Any, capsys: pytest.CaptureFixture[str], json_lines: None
) -> None:
    account = make.a_ready_account(organization, "us", invoice_email_addresses=["invoices@example.org"])
    project = make.a_project(organization, "webapp", contact_email_addresses=["contact@example.org"])
    make.a_binding(project, account)
    operator = Api.of(make.a_person(groups=("finance-operator",)))
    spec = {"spec": {"reasonCode": "ManualReview", "message": "under review"}}
    operator.post(f"{ACCOUNTS}/us/suspend", spec, traceparent=PARENT).done()
    traced = {*Notice.objects.values_list("traceparent", flat=True), Announcement.objects.get().traceparent}
    assert {traceparent[3:35] for traceparent in traced} == {TRACE}
    capsys.readouterr()
    deliver_notices.apply()
    announce_standing.apply()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["trace_id"] for line in lines if line["event"] == "notice"] == [TRACE] * len(mailoutbox) != []
    assert TRACE not in {line["trace_id"] for line in lines if line["event"] == "task"}


def test_what_nobody_asked_for_has_no_trace(account: BillingAccount) -> None:
    make.in_phase(account, BillingAccount.Phase.SUSPENDED)
    assert Announcement.objects.get().traceparent == ""


STATE = "rojo=00f067aa0ba902b7,tenant@vendor=t61rcWkgMzE"


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (STATE, STATE),
        (" a=1 ,, b=2\t", "a=1,b=2"),
        ("a=x y", "a=x y"),
        (f"a={'x' * 256}", f"a={'x' * 256}"),
        (",".join(f"k{number}=v" for number in range(32)), ",".join(f"k{number}=v" for number in range(32))),
        # the recommendation has at most 32 members, and each once
        (",".join(f"k{number}=v" for number in range(33)), ""),
        ("a=1,a=2", ""),
        ("A=1", ""),
        ("a=", ""),
        ("a=1=2", ""),
        ("a", ""),
        (f"a={'x' * 257}", ""),
        ("a=\u0664", ""),
        ("a=1\n", ""),
        # what does not fit is left out whole, from the right
        (f"a={'x' * 250},b={'y' * 250},c=3,d={'z' * 9}", f"a={'x' * 250},b={'y' * 250},c=3"),
        ("", ""),
    ],
)
def test_the_tracestate_of_a_client_is_kept_where_it_is_valid(header: str, kept: str) -> None:
    with traces.span("step", PARENT, header):
        assert traces.tracestate() == kept
        assert traces.traceparent()[3:35] == TRACE
    assert traces.tracestate() == ""


def test_without_a_valid_traceparent_there_is_no_tracestate() -> None:
    with traces.span("step", "", STATE):
        assert traces.tracestate() == ""


def test_what_a_request_queues_is_told_on_with_its_tracestate(organization: Organization) -> None:
    account = make.a_ready_account(organization, "us", invoice_email_addresses=["invoices@example.org"])
    project = make.a_project(organization, "webapp", contact_email_addresses=["contact@example.org"])
    make.a_binding(project, account)
    operator = Api.of(make.a_person(groups=("finance-operator",)))
    spec = {"spec": {"reasonCode": "ManualReview", "message": "under review"}}
    operator.post(f"{ACCOUNTS}/us/suspend", spec, traceparent=PARENT, tracestate=STATE).done()
    assert Notice.objects.count() > 1
    assert set(Notice.objects.values_list("tracestate", flat=True)) == {STATE}
    assert set(Announcement.objects.values_list("tracestate", flat=True)) == {STATE}


def test_no_row_keeps_a_tracestate_with_a_card_number(organization: Organization) -> None:
    make.a_ready_account(organization, "us", invoice_email_addresses=["invoices@example.org"])
    operator = Api.of(make.a_person(groups=("finance-operator",)))
    spec = {"spec": {"reasonCode": "ManualReview", "message": "under review"}}
    state = "vendor=4111111111111111"
    operator.post(f"{ACCOUNTS}/us/suspend", spec, traceparent=PARENT, tracestate=state).done()
    assert set(Notice.objects.values_list("traceparent", "tracestate")).pop()[1] == ""


def test_a_task_continues_the_tracestate_of_the_request_that_published_it() -> None:
    headers: dict[str, Any] = {}
    with traces.span("request", PARENT, STATE):
        send_trace(headers=headers)
    assert headers["tracestate"] == STATE
    expire_requests.push_request(**headers)
    try:
        begin(task=expire_requests, task_id="t-2")
        assert traces.tracestate() == STATE
        end(task=expire_requests, state="SUCCESS")
    finally:
        expire_requests.pop_request()
