import pytest

from projects.models import Organization, Project
from tests.api.client import PROJECTS, Api, nothing_changes
from tests.api.conftest import revisions
from tests.api.examples import PROJECT_YAML, a_project
from tests.support import make


@pytest.mark.parametrize("content_type", ["application/yaml", "application/x-yaml", "text/yaml; charset=utf-8"])
def test_the_project_of_the_specification_is_created_as_written(admin: Api, content_type: str) -> None:
    made = admin.post(PROJECTS, PROJECT_YAML, content_type).done(201)
    assert made["spec"] == {"organizationRef": {"name": "acme-corp"}}
    assert made["metadata"]["annotations"] == {
        "kubernetes.io/description": "Frontend services for the main web application"
    }
    assert made["status"]["phase"] == "Active"
    ready, assigned = made["status"]["conditions"]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "True", "ProjectActive")
    assert (assigned["type"], assigned["status"], assigned["reason"]) == ("PayerAssigned", "False", "Unbound")
    assert "billingResponsibility" not in made["status"]
    assert revisions("webapp-frontend") == [("ADDED", "ProjectCreated")]
    assert Project.history.get().history_user_id == "user:acme-admin"


def test_a_billing_user_creates_projects_and_a_viewer_does_not(organization: Organization, viewer: Api) -> None:
    user = Api.of(make.a_person(roles={organization: "billing-user"}))
    user.post(PROJECTS, a_project()).done(201)
    with nothing_changes():
        viewer.post(PROJECTS, a_project("another")).refused(403, "Forbidden")


def test_a_foreign_organization_is_as_missing_as_one_that_is_not(admin: Api, other: Organization) -> None:
    with nothing_changes():
        foreign = admin.post(PROJECTS, a_project(organization="other-corp"))
        missing = admin.post(PROJECTS, a_project(organization="nowhere"))
    foreign.refused(422, "Invalid")
    assert foreign.raw.replace(b"other-corp", b"nowhere") == missing.raw
    assert foreign.causes() == {"spec.organizationRef.name": "there is no organization other-corp"}


def test_every_fault_is_named_at_once(admin: Api) -> None:
    project = a_project("Web_App", contactEmailAddresses=["a@acme.example", "nobody", "a@acme.example"])
    project["metadata"]["labels"] = {"tier!": "gold"}
    with nothing_changes():
        answer = admin.post(PROJECTS, project)
    answer.refused(422, "Invalid")
    assert list(answer.causes()) == [
        "metadata.name", "metadata.labels", "spec.contactEmailAddresses[1]", "spec.contactEmailAddresses[2]"
    ]  # fmt: skip


def test_a_name_may_be_left_to_the_server(admin: Api) -> None:
    project = a_project()
    project["metadata"] = {"generateName": "webapp-"}
    names = {admin.post(PROJECTS, project).done(201)["metadata"]["name"] for _time in range(3)}
    assert len(names) == 3
    assert all(name.startswith("webapp-") and len(name) == len("webapp-") + 5 for name in names)


def test_a_name_is_unique_across_the_platform(operator: Api, admin: Api, other: Organization) -> None:
    make.a_project(other, "webapp-frontend")
    with nothing_changes():
        admin.post(PROJECTS, a_project()).refused(409, "AlreadyExists")


def test_a_resource_version_cannot_be_chosen(admin: Api) -> None:
    project = a_project()
    project["metadata"]["resourceVersion"] = "7"
    with nothing_changes():
        admin.post(PROJECTS, project).refused(400, "BadRequest")
