import pytest

from billing.models import BillingAccount, BillingAccountBinding
from projects.models import Organization, Project
from tests.api.client import ACCOUNTS, BINDINGS, PROJECTS, Api, nothing_changes
from tests.api.conftest import revisions
from tests.api.examples import ACCOUNT_YAML, BINDING_YAML, PROJECT_YAML, a_binding
from tests.support import make

NAME = "acme-corp-us-webapp-frontend-billing"


def test_the_three_examples_of_the_specification_applied_one_after_the_other(admin: Api) -> None:
    admin.post(ACCOUNTS, ACCOUNT_YAML, "application/yaml").done(201)
    admin.post(PROJECTS, PROJECT_YAML, "application/yaml").done(201)
    bound = admin.post(BINDINGS, BINDING_YAML, "application/yaml").done(201)
    assert bound["spec"] == {
        "projectRef": {"name": "webapp-frontend"},
        "billingAccountRef": {"name": "acme-corp-us"},
    }
    [condition] = bound["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"], condition["message"]) == (
        "Bound", "True", "SuccessfulBinding", "Project successfully bound to billing account"
    )  # fmt: skip
    responsibility = bound["status"]["billingResponsibility"]
    assert responsibility.keys() == {"establishedAt", "currentAccount"}
    assert responsibility["currentAccount"] == "acme-corp-us"
    assert bound["status"]["phase"] == "Active"
    project = admin.get(f"{PROJECTS}/webapp-frontend").done()
    assert project["status"]["billingResponsibility"] == {
        "account": "acme-corp-us",
        "establishedAt": responsibility["establishedAt"],
    }
    assert admin.get(f"{ACCOUNTS}/acme-corp-us").done()["status"]["linkedProjectsCount"] == 1


def test_whoever_watches_project_account_or_binding_learns_of_it(
    admin: Api, project: Project, example_account: BillingAccount
) -> None:
    admin.post(BINDINGS, BINDING_YAML, "application/yaml").done(201)
    assert revisions(NAME) == [("ADDED", "SuccessfulBinding")]
    assert revisions("webapp-frontend")[1:] == [("MODIFIED", "PayerChanged")]
    assert revisions("acme-corp-us")[1:] == [("MODIFIED", "ProjectLinked")]
    assert BillingAccountBinding.history.get().history_user_id == "user:acme-admin"


def test_every_broken_rule_is_named_at_once(admin: Api) -> None:
    with nothing_changes():
        answer = admin.post(BINDINGS, a_binding("nothing", "nobody"))
    answer.refused(422, "Invalid")
    assert answer.causes() == {
        "spec.projectRef.name": "there is no project nothing in this organization",
        "spec.billingAccountRef.name": "there is no billing account nobody in this organization",
    }


def test_an_account_that_is_not_ready_takes_no_project(
    admin: Api, organization: Organization, project: Project
) -> None:
    make.an_incomplete_account(organization, "acme-corp-eu")
    with nothing_changes():
        answer = admin.post(BINDINGS, a_binding("webapp-frontend", "acme-corp-eu"))
    answer.refused(422, "Invalid")
    assert "acme-corp-eu is Incomplete, not Ready" in answer.causes()["spec.billingAccountRef.name"]


def test_a_suspended_account_that_pays_already_is_refused_for_both_reasons(
    admin: Api, operator: Api, project: Project, example_account: BillingAccount
) -> None:
    admin.post(BINDINGS, a_binding("webapp-frontend", "acme-corp-us", "first")).done(201)
    suspend = {"spec": {"reasonCode": "PaymentPastDue", "message": "Invoice 17 is unpaid"}}
    operator.post(f"{ACCOUNTS}/acme-corp-us/suspend", suspend).done()
    with nothing_changes():
        status = admin.post(BINDINGS, a_binding("webapp-frontend", "acme-corp-us", "again")).refused(422, "Invalid")
    causes = status["details"]["causes"]
    assert [cause["field"] for cause in causes] == ["spec.billingAccountRef.name"] * 2
    assert "pays for this project already, by binding first" in causes[0]["message"]
    assert "is Suspended, not Ready" in causes[1]["message"]


def test_another_organizations_project_and_account_are_as_missing(
    admin: Api, other: Organization, project: Project, example_account: BillingAccount
) -> None:
    make.a_project(other, "their-project")
    make.a_ready_account(other, "their-account")
    with nothing_changes():
        foreign = admin.post(BINDINGS, a_binding("their-project", "their-account", "x"))
        missing = admin.post(BINDINGS, a_binding("there-project", "there-account", "x"))
    foreign.refused(422, "Invalid")
    assert foreign.raw.replace(b"their", b"there") == missing.raw


def test_an_operator_cannot_bind_across_organizations_either(
    operator: Api, other: Organization, project: Project, example_account: BillingAccount
) -> None:
    make.a_ready_account(other, "their-account")
    with nothing_changes():
        answer = operator.post(BINDINGS, a_binding("webapp-frontend", "their-account"))
    answer.refused(422, "Invalid")
    assert list(answer.causes()) == ["spec.billingAccountRef.name"]


def test_an_archived_project_is_not_bound(admin: Api, project: Project, example_account: BillingAccount) -> None:
    admin.post(f"{PROJECTS}/webapp-frontend/archive").done()
    with nothing_changes():
        answer = admin.post(BINDINGS, BINDING_YAML, "application/yaml")
    answer.refused(422, "Invalid")
    assert answer.causes() == {"spec.projectRef.name": "project webapp-frontend is archived"}


def test_a_name_that_is_taken_is_refused(
    admin: Api, organization: Organization, example_account: BillingAccount
) -> None:
    make.a_binding(make.a_project(organization, "first"), example_account, "payer")
    make.a_project(organization, "second")
    with nothing_changes():
        admin.post(BINDINGS, a_binding("second", "acme-corp-us", "payer")).refused(409, "AlreadyExists")


def test_a_billing_user_binds_and_a_viewer_does_not(
    organization: Organization,
    viewer: Api,
    stranger: Api,
    auditor: Api,
    project: Project,
    example_account: BillingAccount,
) -> None:
    with nothing_changes():
        viewer.post(BINDINGS, BINDING_YAML, "application/yaml").refused(403, "Forbidden")
        auditor.post(BINDINGS, BINDING_YAML, "application/yaml").refused(403, "Forbidden")
        stranger.post(BINDINGS, BINDING_YAML, "application/yaml").refused(404, "NotFound")
    user = Api.of(make.a_person(roles={organization: "billing-user"}))
    user.post(BINDINGS, BINDING_YAML, "application/yaml").done(201)


@pytest.mark.parametrize("spec", [{}, {"projectRef": {}}, {"projectRef": "x", "billingAccountRef": None}])
def test_both_references_are_required(admin: Api, spec: dict[str, object]) -> None:
    binding = a_binding("webapp-frontend", "acme-corp-us") | {"spec": spec}
    with nothing_changes():
        answer = admin.post(BINDINGS, binding)
    answer.refused(422, "Invalid")
    assert {field.split(".")[1] for field in answer.causes()} == {"projectRef", "billingAccountRef"}
