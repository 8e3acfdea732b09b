"""Requests over HTTP: what their condition says, and who comes too late."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone

from billing.models import ApprovalRequest, BillingAccount
from billing.services.approvals.requests import expire_overdue
from tests.api.client import ACCOUNTS, BILLING, Api, nothing_changes
from tests.support import make

REQUESTS = f"{BILLING}/namespaces/acme-corp/approvalrequests"
TERMS = {"netDays": 90, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}
REQUEST = {
    "apiVersion": "billing.milo.io/v1alpha1",
    "kind": "ApprovalRequest",
    "metadata": {"name": "longer"},
    "spec": {
        "billingAccountRef": {"name": "us"},
        "action": "ReviseTerms",
        "justification": "as agreed",
        "proposal": {"paymentTerms": TERMS},
    },
}
COMMENT = {"spec": {"comment": "seen"}}


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
    return decider.post(f"{REQUESTS}/longer/{act}", decision(act, comment="seen")).done()


def decision(act: str, **spec: str) -> dict[str, Any]:
    """The body of an act, about the request as it is now."""
    if act == "approve":
        spec["reviewedHash"] = ApprovalRequest.objects.get().reviewed_hash
    return {"spec": spec}


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
    for body in (decision(late), decision(late) if late == "renew" else decision(late, comment="seen")):
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
        status = who.post(f"{REQUESTS}/longer/{late}", decision(late)).refused(409, "Conflict")
    assert status["message"] == "request longer has expired; ask again"


def test_an_approval_names_what_was_reviewed(admin: Api, approver: Api, pending: dict[str, Any]) -> None:
    path, seen = f"{REQUESTS}/longer/approve", pending["status"]["reviewedHash"]
    with nothing_changes():
        for body in ({}, COMMENT, {"spec": {"reviewedHash": ""}}, {"spec": {"reviewedHash": None}}):
            answer = approver.post(path, body)
            answer.refused(422, "Invalid")
            assert "spec.reviewedHash" in answer.causes()
        approver.post(path, {"spec": {"reviewedHash": seen[::-1]}}).refused(409, "Conflict")
    assert approver.post(path, {"spec": {"reviewedHash": seen}}).done()["status"]["phase"] == "Approved"


def test_a_renewed_request_is_not_approved_by_the_hash_of_before(
    admin: Api, approver: Api, pending: dict[str, Any]
) -> None:
    admin.patch(f"{ACCOUNTS}/us", {"spec": {"displayName": "Other than reviewed"}}).done()
    renewed = admin.post(f"{REQUESTS}/longer/renew").done()
    assert renewed["status"]["reviewedHash"] != pending["status"]["reviewedHash"]
    body = {"spec": {"reviewedHash": pending["status"]["reviewedHash"]}}
    with nothing_changes():
        status = approver.post(f"{REQUESTS}/longer/approve", body).refused(409, "Conflict")
    assert "look at status.reviewed again" in status["message"]


@pytest.mark.parametrize("validation", ["Strict", "Warn", "Ignore"])
def test_the_old_name_of_the_action_is_refused_with_the_new_one(
    admin: Api, account: BillingAccount, validation: str
) -> None:
    spec = {**REQUEST["spec"], "act": "Close"}  # type: ignore[dict-item]
    old = {**REQUEST, "spec": {name: value for name, value in spec.items() if name != "action"}}
    with nothing_changes():
        answer = admin.post(f"{REQUESTS}?fieldValidation={validation}", old)
        assert answer.code == 422
    [cause] = answer.json["details"]["causes"]
    assert (cause["field"], cause["message"]) == ("spec.act", "is called spec.action")


def test_requests_are_selected_by_action(admin: Api, pending: dict[str, Any]) -> None:
    for action, names in (("ReviseTerms", ["longer"]), ("Close", [])):
        found = admin.get(f"{REQUESTS}?fieldSelector=spec.action={action}").done()
        assert [item["metadata"]["name"] for item in found["items"]] == names


def test_an_upgrade_renames_what_clients_manage(pending: dict[str, Any]) -> None:
    migration = import_module("billing.migrations.0021_action_of_requests").Migration
    rows = ApprovalRequest.objects.values_list("managed_fields", flat=True)
    [[manager]] = rows
    assert "f:action" in manager["fieldsV1"]["f:spec"]
    [operation] = migration.operations
    operation.reverse_code(apps, None)
    assert "f:act" in rows.get()[0]["fieldsV1"]["f:spec"]
    operation.code(apps, None)
    assert rows.get() == [manager]
