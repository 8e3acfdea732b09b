"""A default account through the API: set on the organization, shown by every project, and waited for."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import BillingAccount, BillingAccountBinding
from projects.models import Organization
from tests.api.client import BINDINGS, ORGANIZATIONS, PROJECTS, Api, nothing_changes
from tests.api.conftest import revisions
from tests.api.examples import a_project, an_organization
from tests.support import make

ACME = f"{ORGANIZATIONS}/acme-corp"
PAYER = "billing.milo.io/payer"


def default(name: str | None) -> dict[str, Any]:
    return {"spec": {"defaultBillingAccountRef": name and {"name": name}}}


def assigned(project: dict[str, Any]) -> dict[str, Any]:
    conditions: dict[str, dict[str, Any]] = {it["type"]: it for it in project["status"]["conditions"]}
    return conditions["PayerAssigned"]


def annotated(name: str, payer: str) -> dict[str, Any]:
    project = a_project(name)
    project["metadata"]["annotations"] = {PAYER: payer}
    return project


@pytest.fixture
def us(admin: Api, example_account: BillingAccount) -> BillingAccount:
    """The default account of acme-corp."""
    admin.patch(ACME, default("acme-corp-us")).done()
    return example_account


def test_a_new_project_has_the_default_payer(admin: Api, us: BillingAccount) -> None:
    made = admin.post(PROJECTS, a_project("shop")).done(201)
    assert made["status"]["billingResponsibility"]["account"] == "acme-corp-us"
    condition = assigned(made)
    assert (condition["status"], condition["message"]) == ("True", "acme-corp-us pays for the project")
    assert admin.get(f"{BINDINGS}/shop-default").done()["status"]["phase"] == "Active"
    assert revisions("shop-default") == [("ADDED", "DefaultAccount")]
    assert revisions("shop") == [("ADDED", "ProjectCreated")]


def test_the_default_is_a_part_of_the_spec(admin: Api, us: BillingAccount) -> None:
    read = admin.get(ACME).done()
    assert read["spec"]["defaultBillingAccountRef"] == {"name": "acme-corp-us"}
    with nothing_changes():
        assert admin.put(ACME, read).done() == read
    renamed = admin.patch(ACME, {"spec": {"displayName": "ACME"}}).done()
    assert renamed["spec"]["defaultBillingAccountRef"] == {"name": "acme-corp-us"}
    labelled = admin.patch("/api/v1/namespaces/acme-corp", {"metadata": {"labels": {"tier": "gold"}}}).done()
    assert labelled["metadata"]["labels"]["tier"] == "gold"
    assert admin.get(ACME).done()["spec"]["defaultBillingAccountRef"] == {"name": "acme-corp-us"}
    assert "defaultBillingAccountRef" not in admin.patch(ACME, default(None)).done()["spec"]


def test_an_answer_warns_of_projects_without_a_payer(
    admin: Api, organization: Organization, example_account: BillingAccount
) -> None:
    make.a_project(organization)
    answer = admin.patch(ACME, default("acme-corp-us"))
    answer.done()
    assert "projects of acme-corp without a payer: 1" in answer.headers["Warning"]
    assert "PayerChange with spec.toAccountRef.name acme-corp-us" in answer.headers["Warning"]
    assert BillingAccountBinding.objects.count() == 0
    assert "Warning" not in admin.patch(ACME, {"spec": {"displayName": "ACME"}}).headers


def test_a_dry_run_sets_nothing_and_warns(
    admin: Api, organization: Organization, example_account: BillingAccount
) -> None:
    make.a_project(organization)
    with nothing_changes():
        answer = admin.patch(f"{ACME}?dryRun=All", default("acme-corp-us"))
    assert "without a payer: 1" in answer.headers["Warning"]


@pytest.mark.parametrize("name", ["nowhere", "theirs"])
def test_a_missing_account_is_refused(admin: Api, other: Organization, name: str) -> None:
    make.a_ready_account(other, "theirs")
    with nothing_changes():
        answer = admin.patch(ACME, default(name))
    answer.refused(422, "Invalid")
    assert answer.causes() == {
        "spec.defaultBillingAccountRef.name": f"there is no billing account {name} in this organization"
    }


def test_a_new_organization_has_no_account_to_name(operator: Api) -> None:
    body = an_organization("new-corp", defaultBillingAccountRef={"name": "us"})
    with nothing_changes():
        answer = operator.post(ORGANIZATIONS, body)
    answer.refused(422, "Invalid")
    assert list(answer.causes()) == ["spec.defaultBillingAccountRef.name"]


def test_who_may_not_revise_the_organization_sets_none(
    viewer: Api, stranger: Api, auditor: Api, organization: Organization, example_account: BillingAccount
) -> None:
    user = Api.of(make.a_person(roles={organization: "billing-user"}))
    with nothing_changes():
        for person in (viewer, auditor, user):
            person.patch(ACME, default("acme-corp-us")).refused(403, "Forbidden")
        stranger.patch(ACME, default("acme-corp-us")).refused(404, "NotFound")


def test_an_annotation_opts_out_or_names_another(admin: Api, organization: Organization, us: BillingAccount) -> None:
    make.a_ready_account(organization, "acme-corp-eu")
    alone = admin.post(PROJECTS, annotated("alone", "none")).done(201)
    assert (assigned(alone)["status"], assigned(alone)["reason"]) == ("False", "OptedOut")
    other = admin.post(PROJECTS, annotated("other", "acme-corp-eu")).done(201)
    assert other["status"]["billingResponsibility"]["account"] == "acme-corp-eu"
    with nothing_changes():
        answer = admin.post(PROJECTS, annotated("third", "nowhere"))
    answer.refused(422, "Invalid")
    assert answer.causes() == {
        f"metadata.annotations.{PAYER}": "there is no billing account nowhere in this organization"
    }


def test_a_default_that_is_not_ready_is_waited_for(admin: Api, us: BillingAccount) -> None:
    make.in_phase(us, "Suspended")
    made = admin.post(PROJECTS, a_project("shop")).done(201)
    condition = assigned(made)
    assert (condition["status"], condition["reason"]) == ("False", "DefaultAccountNotReady")
    assert "acme-corp-us is Suspended, not Ready: under review" in condition["message"]
    (listed,) = admin.get(PROJECTS).done()["items"]
    assert assigned(listed) == condition == assigned(admin.get(f"{PROJECTS}/shop").done())


def test_the_closure_checklist_names_the_organization(admin: Api, us: BillingAccount) -> None:
    checklist = f"{BINDINGS.replace('billingaccountbindings', 'billingaccounts')}/acme-corp-us/closurechecklist"
    (blocker,) = admin.get(checklist).done()["blockers"]
    assert (blocker["type"], blocker["name"], blocker["fix"]) == ("Organization", "acme-corp", "name another default")


def test_lists_take_as_many_queries_for_many_rows_as_for_one(
    admin: Api, organization: Organization, us: BillingAccount
) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            admin.get(path).done()
        return len(captured)

    admin.post(PROJECTS, annotated("first", "none")).done(201)
    admin.post(PROJECTS, a_project("second")).done(201)
    admin.get(PROJECTS).done()
    before = queries(PROJECTS), queries(ORGANIZATIONS)
    for number in range(3):
        admin.post(PROJECTS, annotated(f"alone-{number}", "none")).done(201)
        admin.post(PROJECTS, a_project(f"shop-{number}")).done(201)
    assert (queries(PROJECTS), queries(ORGANIZATIONS)) == before
