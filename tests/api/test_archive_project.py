import pytest

from billing.models import BillingAccount
from projects.models import Organization, Project
from tests.api.client import ACCOUNTS, BINDINGS, PROJECTS, Api, nothing_changes
from tests.api.conftest import revisions
from tests.support import make

ARCHIVE = f"{PROJECTS}/webapp/archive"


@pytest.fixture
def bound_project(organization: Organization, example_account: BillingAccount) -> Project:
    project = make.a_project(organization, "webapp")
    make.a_binding(project, example_account, "payer")
    return project


@pytest.mark.parametrize("body", [None, {}, {"spec": {}}])
def test_archiving_ends_the_binding_in_the_same_act(admin: Api, bound_project: Project, body: object) -> None:
    archived = admin.post(ARCHIVE, body).done()
    assert archived["kind"] == "Project"
    assert archived["status"]["phase"] == "Archived"
    assert archived["status"]["conditions"][0]["status"] == "False"
    assert "billingResponsibility" not in archived["status"]
    ended = admin.get(f"{BINDINGS}/payer").done()["status"]
    assert ended["phase"] == "Ended"
    assert ended["billingResponsibility"]["endReason"] == "ProjectArchived"
    assert "supersededBy" not in ended["billingResponsibility"]
    assert admin.get(f"{ACCOUNTS}/acme-corp-us").done()["status"]["linkedProjectsCount"] == 0
    assert revisions("webapp")[-1] == ("MODIFIED", "ProjectArchived")
    assert revisions("payer")[-1] == ("MODIFIED", "Ended")
    assert revisions("acme-corp-us")[-1] == ("MODIFIED", "ProjectUnlinked")


def test_archiving_again_changes_nothing(admin: Api, bound_project: Project) -> None:
    first = admin.post(ARCHIVE).done()
    with nothing_changes():
        assert admin.post(ARCHIVE).done() == first


def test_only_who_may_archives(
    viewer: Api, stranger: Api, auditor: Api, organization: Organization, bound_project: Project
) -> None:
    user = Api.of(make.a_person(roles={organization: "billing-user"}))
    with nothing_changes():
        for person in (viewer, auditor, user):
            person.post(ARCHIVE).refused(403, "Forbidden")
        stranger.post(ARCHIVE).refused(404, "NotFound")


@pytest.mark.parametrize("body", [{"spec": {"force": True}}, {"now": True}, [], {"spec": []}])
def test_a_body_that_says_more_is_refused(admin: Api, bound_project: Project, body: object) -> None:
    with nothing_changes():
        admin.post(ARCHIVE, body).refused(400, "BadRequest")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_an_act_is_a_post(admin: Api, bound_project: Project, method: str) -> None:
    with nothing_changes():
        admin.call(method, ARCHIVE, {}).refused(405, "MethodNotAllowed")
