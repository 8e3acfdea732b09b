"""Suspension, approval, closure and charges over HTTP."""

from typing import Any

import pytest

from billing.models import ApprovalRequest, BillingAccount, Charge, Suspension
from projects.models import Organization
from tests.api.client import ACCOUNTS, BILLING, PROJECTS, Api, nothing_changes
from tests.support import make

US = f"{ACCOUNTS}/us"
REQUESTS = f"{BILLING}/namespaces/acme-corp/approvalrequests"
CHARGES = f"{BILLING}/namespaces/acme-corp/charges"
SUSPEND = {"spec": {"reasonCode": "PaymentPastDue", "message": "Invoice 17 is unpaid", "internalNote": "called twice"}}


@pytest.fixture
def paying_account(organization: Organization, invoiced_account: BillingAccount) -> BillingAccount:
    make.a_binding(make.a_project(organization, "frontend"), invoiced_account)
    return invoiced_account


@pytest.fixture
def approver(db: None) -> Api:
    return Api.of(make.a_person("approver", groups=("finance-approver",)))


@pytest.fixture
def reporter(db: None) -> Api:
    return Api.of(make.a_person("reporter", groups=("charge-reporter",)))


def a_request(act: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"generateName": "us-"},
        "spec": {"billingAccountRef": {"name": "us"}, "action": act, "justification": "agreed", **spec},
    }


def a_charge(**spec: Any) -> dict[str, Any]:
    given = {"externalId": "invoice 17/2026", "amount": "10.50", "currencyCode": "USD", "dueDate": "2026-12-31"}
    return {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "Charge",
        "metadata": {"generateName": "invoice-"},
        "spec": {"billingAccountRef": {"name": "us"}, **given, **spec},
    }


def test_a_suspension_shows_at_once_on_the_account_and_its_projects(
    operator: Api, paying_account: BillingAccount
) -> None:
    suspended = operator.post(f"{US}/suspend", SUSPEND).done()
    assert suspended["status"]["phase"] == "Suspended"
    standing = operator.get(f"{PROJECTS}/frontend").done()["status"]["conditions"][1]
    assert (standing["type"], standing["status"], standing["reason"]) == (
        "PayerInGoodStanding",
        "False",
        "PaymentPastDue",
    )


def test_the_preview_of_a_suspension_changes_nothing(operator: Api, paying_account: BillingAccount) -> None:
    with nothing_changes():
        told = operator.post(
            f"{US}/suspendpreview", {"spec": {"reasonCode": "PaymentPastDue", "message": "Invoice 17"}}
        ).done()
    assert (told["projects"], told["recipients"]) == (["frontend"], ["invoices@example.org"])
    assert "Invoice 17" in told["text"]
    with nothing_changes():
        operator.post(f"{US}/suspendpreview", {"spec": {"reasonCode": "Whim", "message": "x"}}).refused(422, "Invalid")


def test_a_message_in_the_address_of_the_preview_is_refused_with_the_way_to_send_it(
    operator: Api, paying_account: BillingAccount
) -> None:
    answer = operator.get(f"{US}/suspendpreview?reasonCode=PaymentPastDue&message=Invoice+17")
    answer.refused(405, "MethodNotAllowed")
    assert "suspendpreview takes POST alone" in answer.json["message"]
    assert "POST" in answer.headers["Allow"]
    assert "GET" not in answer.headers["Allow"]


def test_customers_read_the_message_and_never_the_internal_note(
    operator: Api, admin: Api, paying_account: BillingAccount
) -> None:
    operator.post(f"{US}/suspend", SUSPEND).done()
    shown = admin.get(f"{US}/suspensions").done()["items"][0]
    assert shown["message"] == "Invoice 17 is unpaid"
    for path in (US, f"{US}/suspensions", f"{PROJECTS}/frontend", f"{BILLING}/billingaccounts"):
        assert b"called twice" not in admin.get(path).raw
    assert operator.get(f"{US}/suspensions").done()["items"][0]["internalNote"] == "called twice"


def test_an_account_comes_back_by_evidence_and_a_second_person(
    operator: Api, admin: Api, approver: Api, paying_account: BillingAccount
) -> None:
    operator.post(f"{US}/suspend", SUSPEND).done()
    with nothing_changes():
        admin.post(REQUESTS, a_request("Reactivate")).refused(422, "Invalid")
    resolution = {"suspension": str(Suspension.objects.get().uid), "evidence": {"settlementReference": "wire 5"}}
    operator.post(f"{US}/resolvesuspension", {"spec": resolution}).done()
    request = admin.post(REQUESTS, a_request("Reactivate")).done(201)
    assert request["status"]["phase"] == "Pending"
    name = request["metadata"]["name"]
    with nothing_changes():
        admin.post(f"{REQUESTS}/{name}/approve", {}).refused(403, "Forbidden")
    decision = {"comment": "paid", "reviewedHash": request["status"]["reviewedHash"]}
    decided = approver.post(f"{REQUESTS}/{name}/approve", {"spec": decision}).done()
    assert (decided["status"]["phase"], decided["status"]["decider"]) == ("Approved", "user:approver")
    assert operator.get(US).done()["status"]["phase"] == "Ready"


def test_what_has_changed_since_the_request_stands_in_the_message_too(
    operator: Api, admin: Api, approver: Api, paying_account: BillingAccount
) -> None:
    terms = {"paymentTerms": {"netDays": 90, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}}
    request = admin.post(REQUESTS, a_request("ReviseTerms", proposal=terms)).done(201)
    name, seen = request["metadata"]["name"], request["status"]["reviewedHash"]
    operator.patch(US, {"spec": {"displayName": "Ours"}}).done()
    with nothing_changes():
        status = approver.post(f"{REQUESTS}/{name}/approve", {"spec": {"reviewedHash": seen}}).refused(409, "Conflict")
    # kubectl prints the message alone
    assert "reviewed.displayName: was " in status["message"]
    assert ", is Ours" in status["message"]


def test_a_request_is_rejected_with_a_comment_and_cannot_be_changed(
    admin: Api, approver: Api, paying_account: BillingAccount
) -> None:
    terms = {"paymentTerms": {"netDays": 90, "invoiceFrequency": "Monthly", "invoiceDayOfMonth": 1}}
    name = admin.post(REQUESTS, a_request("ReviseTerms", proposal=terms)).done(201)["metadata"]["name"]
    with nothing_changes():
        approver.post(f"{REQUESTS}/{name}/reject", {}).refused(422, "Invalid")
        changed = admin.patch(f"{REQUESTS}/{name}", {"spec": {"justification": "other"}})
        changed.refused(422, "Invalid")
    assert changed.causes() == {"spec.justification": "is fixed; ask for it by another approval request"}
    approver.post(f"{REQUESTS}/{name}/reject", {"spec": {"comment": "too long"}}).done()
    assert ApprovalRequest.objects.get().comment == "too long"


def test_the_closure_checklist_names_what_stands_in_the_way(admin: Api, paying_account: BillingAccount) -> None:
    checklist = admin.get(f"{US}/closurechecklist").done()
    assert checklist["closable"] is False
    assert [blocker["type"] for blocker in checklist["blockers"]] == ["BillingAccountBinding"]
    assert all(set(blocker) == {"type", "name", "message", "fix", "who"} for blocker in checklist["blockers"])
    with nothing_changes():
        answer = admin.post(REQUESTS, a_request("Close"))
        answer.refused(422, "Invalid")
    assert "is bound to the account" in str(answer.causes())


def test_a_charge_is_reported_once_and_settled_once(reporter: Api, paying_account: BillingAccount) -> None:
    first = reporter.post(CHARGES, a_charge()).done(201)
    assert first["spec"]["amount"] == "10.5"
    with nothing_changes():
        again = reporter.post(CHARGES, a_charge()).done(201)
        reporter.post(CHARGES, a_charge(amount="11")).refused(409, "Conflict")
        reporter.post(CHARGES, a_charge(externalId="18", amount="1.005")).refused(422, "Invalid")
        reporter.post(CHARGES, a_charge(externalId="18", amount=1.5)).refused(422, "Invalid")
    assert again["metadata"]["uid"] == first["metadata"]["uid"]
    settle = f"{CHARGES}/{first['metadata']['name']}/settle"
    reporter.post(settle, {"spec": {"reference": "wire 5"}}).done()
    with nothing_changes():
        reporter.post(settle, {"spec": {"reference": "wire 6"}}).refused(409, "Conflict")
    assert Charge.objects.get().settlement_reference == "wire 5"


def test_a_charge_reporter_sees_charges_and_nothing_of_accounts(reporter: Api, paying_account: BillingAccount) -> None:
    assert reporter.get(CHARGES).done()["items"] == []
    reporter.get(ACCOUNTS).refused(403, "Forbidden")
    reporter.get(US).refused(404, "NotFound")
    reporter.post(f"{US}/suspend", SUSPEND).refused(404, "NotFound")
