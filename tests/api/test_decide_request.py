"""Requests over HTTP: what their condition says, and who comes too late."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.models import ApprovalRequest, BillingAccount
from billing.services.approvals import expire_overdue
from projects.models import Organization
from tests import make
from tests.api.client import BILLING, Api, nothing_changes

REQUESTS = f"{BILLING}/namespaces/acme-corp/approvalrequests"
TERMS = {"netDays": 90, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}
REQUEST = {
    "apiVersion": "billing.milo.io/v1alpha1",
    "kind": "ApprovalRequest",
    "metadata": {"name": "longer"},
    "spec": {
        "billingAccountRef": {"name": "us"},
        "act": "ReviseTerms",
        "justification": "as agreed",
        "proposal": {"paymentTerms": TERMS},
    },
}
COMMENT = {"spec": {"comment": "seen"}}


@pytest.fixture
def account(acme: Organization) -> BillingAccount:
    return make.a_ready_account(acme, "us")


@pytest.fixture
def approver(db: None) -> Api:
    return Api.of(make.a_person("approver", groups=("finance-approver",)))


@pytest.fixture
def pending(admin: Api, account: BillingAccount) -> dict[str, Any]:
    return admin.post(REQUESTS, REQUEST).done(201)


def condition(manifest: dict[str, Any]) -> tuple[str, str, str, str]:
    [found] = manifest["status"]["conditions"]
    return found["type"], found["status"], found["reason"], found["message"]


def overdue() -> None:
    ApprovalRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def decide(act: str, admin: Api, approver: Api) -> dict[str, Any]:
    """The request once it has ended by `act`: a subresource, or `expire`."""
    if act == "expire":
        overdue()
        assert expire_overdue() == 1
        return admin.get(f"{REQUESTS}/longer").done()
    decider = admin if act == "withdraw" else approver
    return decider.post(f"{REQUESTS}/longer/{act}", COMMENT).done()


def test_a_pending_request_is_neither_approved_nor_not(pending: dict[str, Any]) -> None:
    waits = f"Waits until {pending['status']['expiresAt']} for a second person to decide"
    assert condition(pending) == ("Approved", "Unknown", "Pending", waits)
    assert pending["status"]["conditions"][0]["lastTransitionTime"] == pending["status"]["requestedAt"]


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        ("approve", ("Approved", "True", "Approved", "seen")),
        ("reject", ("Approved", "False", "Rejected", "seen")),
        ("withdraw", ("Approved", "False", "Withdrawn", "seen")),
        ("expire", ("Approved", "False", "Expired", "")),
    ],
)
def test_the_condition_of_a_decided_request_says_how_it_ended(
    admin: Api, approver: Api, pending: dict[str, Any], act: str, expected: tuple[str, ...]
) -> None:
    decided = decide(act, admin, approver)
    assert condition(decided) == expected
    assert decided["status"]["conditions"][0]["lastTransitionTime"] == decided["status"]["decidedAt"]


@pytest.mark.parametrize("late", ["approve", "reject", "withdraw", "renew"])
@pytest.mark.parametrize("act", ["approve", "reject", "withdraw", "expire"])
def test_who_decides_a_decided_request_comes_too_late(
    admin: Api, approver: Api, pending: dict[str, Any], act: str, late: str
) -> None:
    phase = decide(act, admin, approver)["status"]["phase"]
    who = approver if late in ("approve", "reject") else admin
    for body in ({}, {} if late == "renew" else COMMENT):
        with nothing_changes():
            status = who.post(f"{REQUESTS}/longer/{late}", body).refused(409, "Conflict")
        assert status["message"] == f"request longer is {phase} already"


@pytest.mark.parametrize("late", ["approve", "reject", "withdraw", "renew"])
def test_who_decides_after_its_time_comes_too_late(
    admin: Api, approver: Api, pending: dict[str, Any], late: str
) -> None:
    overdue()
    who = approver if late in ("approve", "reject") else admin
    with nothing_changes():
        status = who.post(f"{REQUESTS}/longer/{late}", {}).refused(409, "Conflict")
    assert status["message"] == "request longer has expired; ask again"
