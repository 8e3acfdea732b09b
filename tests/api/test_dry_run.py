from typing import Any

import pytest

from billing.models import BillingAccount
from projects.models import Organization
from tests.api.client import ACCOUNTS, BINDINGS, JSON_PATCH, ORGANIZATIONS, PROJECTS, Api, nothing_changes
from tests.api.examples import a_binding, a_project, an_account, an_organization
from tests.support import make


@pytest.fixture
def paying_account(organization: Organization, account: BillingAccount) -> BillingAccount:
    """The payer of `webapp`, which `eu` could pay for too."""
    make.a_ready_account(organization, "eu")
    make.a_binding(make.a_project(organization, "webapp"), account, "payer")
    return account


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", ORGANIZATIONS, an_organization("new-corp")),
        ("POST", PROJECTS, a_project("new")),
        ("POST", ACCOUNTS, an_account("new")),
        ("POST", BINDINGS, a_binding("webapp", "eu")),
        ("POST", f"{PROJECTS}/webapp/archive", {}),
        ("PATCH", f"{ORGANIZATIONS}/acme-corp", {"spec": {"displayName": "New"}}),
        ("PATCH", f"{PROJECTS}/webapp", {"spec": {"displayName": "New"}}),
        ("PATCH", f"{ACCOUNTS}/us", {"spec": {"displayName": "New"}}),
        ("PATCH", f"{BINDINGS}/payer", {"metadata": {"labels": {"a": "b"}}}),
    ],
)
def test_all_is_done_and_shown_and_then_undone(
    operator: Api, paying_account: BillingAccount, method: str, path: str, body: Any
) -> None:
    with nothing_changes():
        tried = operator.call(method, f"{path}?dryRun=All", body)
    code = 200 if method == "PATCH" or path.endswith("archive") else 201
    shown = tried.done(code)
    really = operator.call(method, path, body).done(code)
    assert shown["spec"] == really["spec"]
    assert shown["metadata"].get("labels") == really["metadata"].get("labels")
    assert shown["metadata"]["resourceVersion"] == really["metadata"]["resourceVersion"]
    assert shown["status"].get("phase") == really["status"].get("phase")


def test_a_put_is_tried_too(admin: Api, paying_account: BillingAccount) -> None:
    read = admin.get(f"{ACCOUNTS}/us").done()
    read["spec"]["displayName"] = "New"
    with nothing_changes():
        shown = admin.put(f"{ACCOUNTS}/us?dryRun=All", read).done()
    assert shown["spec"]["displayName"] == "New"
    assert admin.get(f"{ACCOUNTS}/us").done()["spec"].get("displayName") is None


def test_a_trial_is_refused_as_the_act_would_be(viewer: Api, admin: Api, paying_account: BillingAccount) -> None:
    with nothing_changes():
        viewer.post(f"{ACCOUNTS}?dryRun=All", an_account("new")).refused(403, "Forbidden")
        admin.post(f"{ACCOUNTS}?dryRun=All", an_account("us")).refused(409, "AlreadyExists")
        admin.post(f"{BINDINGS}?dryRun=All", a_binding("webapp", "us")).refused(422, "Invalid")
        patch = [{"op": "test", "path": "/spec/currencyCode", "value": "EUR"}]
        admin.patch(f"{ACCOUNTS}/us?dryRun=All", patch, JSON_PATCH).refused(422, "Invalid")


def test_the_same_name_can_be_tried_again_and_again(admin: Api, paying_account: BillingAccount) -> None:
    for _time in range(3):
        admin.post(f"{ACCOUNTS}?dryRun=All", an_account("new")).done(201)


@pytest.mark.parametrize("value", ["", "all", "None", "true", "All&dryRun=Some"])
def test_what_is_no_dry_run_is_not_done_in_earnest(admin: Api, paying_account: BillingAccount, value: str) -> None:
    with nothing_changes():
        admin.post(f"{ACCOUNTS}?dryRun={value}", an_account("new")).refused(400, "BadRequest")
        admin.patch(f"{ACCOUNTS}/us?dryRun={value}", {"spec": {"displayName": "New"}}).refused(400, "BadRequest")
        admin.post(f"{PROJECTS}/webapp/archive?dryRun={value}").refused(400, "BadRequest")
