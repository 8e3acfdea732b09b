"""Who is said to manage which field, whichever way it was written."""

from typing import Any

import pytest

from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, revise
from billing.services.suspensions import suspend
from milo.kube.models import Change
from projects.models import Organization, Project
from projects.services.projects import ProjectSpec, revise_project
from tests.api.client import ACCOUNTS, PROJECTS, Api, nothing_changes
from tests.api.examples import a_project, an_account
from tests.support import make

US = f"{ACCOUNTS}/acme-corp-us"
FORGET: dict[str, Any] = {"metadata": {"managedFields": [{}]}}
APPLY_PATCH = "application/apply-patch+yaml"


def managers(manifest: dict[str, Any]) -> list[str]:
    return [entry["manager"] for entry in manifest["metadata"]["managedFields"]]


def fields_of(manifest: dict[str, Any], manager: str) -> dict[str, Any]:
    [fields] = [e["fieldsV1"] for e in manifest["metadata"]["managedFields"] if e["manager"] == manager]
    found: dict[str, Any] = fields["f:spec"]
    return found


@pytest.mark.parametrize(
    ("query", "agent", "manager"),
    [
        ("", "curl/8.5.0", "curl"),
        ("?fieldManager=mine", "curl/8.5.0", "mine"),
        ("", "", "unknown"),
        ("", "/", "unknown"),
    ],
)
def test_the_first_write_names_its_manager(admin: Api, query: str, agent: str, manager: str) -> None:
    made = admin.post(f"{ACCOUNTS}{query}", an_account(), user_agent=agent).done(201)
    assert managers(made) == [manager]
    read = admin.get(US).done()
    assert read["metadata"]["managedFields"] == made["metadata"]["managedFields"]


@pytest.mark.parametrize(
    "number", ["4111\u20091111\u20091111\u20091111", "\uff14" + "\uff11" * 15, "4111|1111|1111|1111"]
)
def test_a_user_agent_names_no_card_number_in_any_letters(admin: Api, organization: Organization, number: str) -> None:
    # servers read the octets of a header as Latin-1
    with nothing_changes():
        admin.post(ACCOUNTS, an_account(), user_agent=number.encode().decode("latin-1")).refused(422, "Invalid")


@pytest.mark.parametrize("manager", ["x" * 129, "a%0Ab"])
def test_a_name_that_no_manager_has_is_refused(admin: Api, organization: Organization, manager: str) -> None:
    with nothing_changes():
        answer = admin.post(f"{ACCOUNTS}?fieldManager={manager}", an_account())
        answer.refused(422, "Invalid")
    assert "fieldManager" in answer.causes()


def test_a_service_that_changes_the_spec_takes_the_fields_over(admin: Api) -> None:
    admin.patch(f"{US}?fieldManager=argocd", an_account(displayName="One"), APPLY_PATCH).done(201)
    account = BillingAccount.objects.get(name="acme-corp-us")
    before = AccountSpec.of(account)
    revise(account.pk, AccountSpec(**{**_fields(before), "display_name": "Two"}), actor=make.PLATFORM)
    shown = admin.get(US).done()
    assert fields_of(shown, "milo") == {"f:displayName": {}}
    assert "f:displayName" not in fields_of(shown, "argocd")
    with nothing_changes():
        refused = admin.patch(f"{US}?fieldManager=argocd", an_account(displayName="One"), APPLY_PATCH)
    assert 'conflict with "milo"' in refused.refused(409, "Conflict")["message"]


def _fields(spec: AccountSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in AccountSpec.__dataclass_fields__}


def test_so_does_one_that_revises_a_project(admin: Api) -> None:
    admin.post(f"{PROJECTS}?fieldManager=curl", a_project(displayName="One")).done(201)
    project = Project.objects.get(name="webapp-frontend")
    revise_project(project.pk, ProjectSpec("Two"), actor=make.PLATFORM)
    assert fields_of(admin.get(f"{PROJECTS}/webapp-frontend").done(), "milo") == {"f:displayName": {}}


def test_an_action_that_leaves_the_spec_alone_leaves_its_managers_too(admin: Api) -> None:
    made = admin.post(f"{ACCOUNTS}?fieldManager=curl", an_account()).done(201)
    account = BillingAccount.objects.get(name="acme-corp-us")
    suspend(account.pk, reason_code="ManualReview", message="x", actor=make.PLATFORM)
    assert admin.get(US).done()["metadata"]["managedFields"] == made["metadata"]["managedFields"]


def test_who_only_manages_from_now_on_changes_nothing_that_anybody_answers_for(admin: Api) -> None:
    admin.post(f"{ACCOUNTS}?fieldManager=curl", an_account()).done(201)
    account = BillingAccount.objects.get(name="acme-corp-us")
    history, revisions = account.history.count(), Change.objects.filter(uid=account.uid).count()
    applied = admin.patch(f"{US}?fieldManager=argocd", an_account(), APPLY_PATCH).done()
    assert managers(applied) == ["argocd", "curl"]
    assert account.history.count() == history
    newest = Change.objects.filter(uid=account.uid).order_by("resource_version")
    assert newest.count() == revisions + 1
    change = newest.last()
    assert change is not None
    # no event
    assert (change.reason, change.message) == ("", "")
    assert str(change.resource_version) == applied["metadata"]["resourceVersion"]


def test_managers_can_be_forgotten_and_are_recorded_anew(admin: Api) -> None:
    admin.post(f"{ACCOUNTS}?fieldManager=curl", an_account()).done(201)
    assert "managedFields" not in admin.patch(US, FORGET).done()["metadata"]
    with nothing_changes():
        admin.patch(US, FORGET).done()
    renamed = admin.patch(f"{US}?fieldManager=curl", {"spec": {"displayName": "New"}}).done()
    assert managers(renamed) == ["before-first-apply", "curl"]


def test_a_card_number_finds_no_place_among_managers(admin: Api) -> None:
    made = admin.post(ACCOUNTS, an_account()).done(201)
    [entry] = made["metadata"]["managedFields"]
    claims: tuple[dict[str, Any], ...] = (
        {"fieldsV1": {"f:spec": {"f:4111111111111111": {}}}},
        {"manager": "4111 1111 1111 1111"},
    )
    for changed in claims:
        with nothing_changes():
            answer = admin.patch(US, {"metadata": {"managedFields": [entry | changed]}})
            answer.refused(422, "Invalid")
