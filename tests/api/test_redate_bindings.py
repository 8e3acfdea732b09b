"""Redating over HTTP: who pays now is bound, for readers, in the change log and in the request."""

from datetime import timedelta
from typing import Any

import pytest

from billing.models import BillingAccount
from milo.clock import ledger_time
from projects.models import Project
from tests.api.client import ACCOUNTS, BILLING, BINDINGS, PROJECTS, Api, nothing_changes
from tests.api.conftest import revisions
from tests.support import make
from tests.support.clock import Travel, travelling

__all__ = ["travelling"]
REQUESTS = f"{BILLING}/namespaces/acme-corp/approvalrequests"


@pytest.fixture
def approver(db: None) -> Api:
    return Api.of(make.a_person("approver", groups=("finance-approver",)))


@pytest.fixture
def handover(project: Project, account: BillingAccount, travelling: Travel) -> None:
    """From `before` to `ahead`, 15 days ahead."""
    make.a_binding(project, make.a_ready_account(project.organization), "before")
    with travelling(timedelta(days=15)):
        make.a_binding(project, account, "ahead")


def a_request(project: str, account: str = "us") -> dict[str, Any]:
    return {
        "apiVersion": "billing.milo.io/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"name": "redating"},
        "spec": {
            "billingAccountRef": {"name": account},
            "action": "RedateBindings",
            "justification": "a web was 15 days ahead",
            "proposal": {"project": project},
        },
    }


def decision(request: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"reviewedHash": request["status"]["reviewedHash"]}}


def payer(api: Api, project: str) -> str:
    at = ledger_time().isoformat().replace("+00:00", "Z")
    [item] = api.get(f"{PROJECTS}/{project}/billinghistory?at={at}").done()["items"]
    return str(item["binding"])


@pytest.mark.usefixtures("handover")
def test_an_approved_request_makes_the_bound_account_the_payer(operator: Api, approver: Api, project: Project) -> None:
    assert payer(operator, project.name) == "before"
    made = operator.post(REQUESTS, a_request(project.name)).done(201)
    shown = made["status"]["reviewed"]["bindings"]
    assert [(it["name"], it["endedAt"]) for it in shown] == [("before", shown[1]["establishedAt"]), ("ahead", None)]
    with nothing_changes():
        operator.post(f"{REQUESTS}/redating/approve", decision(made)).refused(403, "Forbidden")
    approved = approver.post(f"{REQUESTS}/redating/approve", decision(made)).done()
    assert approved["status"]["phase"] == "Approved"
    assert payer(operator, project.name) == "ahead"
    before, ahead = (
        operator.get(f"{BINDINGS}/{name}").done()["status"]["billingResponsibility"] for name in ("before", "ahead")
    )
    assert before["endedAt"] == ahead["establishedAt"] < shown[1]["establishedAt"]
    assert revisions("ahead")[-1] == ("MODIFIED", "Redated")
    for name in (project.name, "us"):
        assert revisions(name)[-1] == ("MODIFIED", "BindingsRedated")


@pytest.mark.usefixtures("handover")
def test_what_cannot_be_redated_is_refused_by_field(operator: Api, stranger: Api, project: Project) -> None:
    with nothing_changes():
        refusal = operator.post(REQUESTS, a_request("nothing")).refused(422, "Invalid")
        assert [it["field"] for it in refusal["details"]["causes"]] == ["spec.proposal.project"]
        body = a_request(project.name)
        del body["spec"]["proposal"]
        refusal = operator.post(REQUESTS, body).refused(422, "Invalid")
        assert [it["field"] for it in refusal["details"]["causes"]] == ["spec.proposal.project"]
        stranger.post(REQUESTS, a_request(project.name)).refused(404, "NotFound")
    operator.post(REQUESTS, a_request(project.name)).done(201)
    second = a_request(project.name)
    second["metadata"]["name"] = "again"
    with nothing_changes():
        operator.post(REQUESTS, second).refused(422, "Invalid")
    assert operator.get(f"{ACCOUNTS}/us").done()["status"]["phase"] == "Ready"
