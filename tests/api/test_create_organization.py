import pytest

from projects.models import Organization
from tests.api.client import ORGANIZATIONS, Api, nothing_changes
from tests.api.conftest import revisions
from tests.api.examples import an_organization


def test_an_operator_creates_an_organization_which_is_also_a_namespace(operator: Api) -> None:
    made = operator.post(ORGANIZATIONS, an_organization("acme-corp", displayName="ACME Corp")).done(201)
    assert made["apiVersion"] == "resources.milo.io/v1alpha1"
    assert made["kind"] == "Organization"
    assert made["spec"] == {"displayName": "ACME Corp"}
    assert made["status"]["phase"] == "Active"
    assert "namespace" not in made["metadata"]
    assert operator.get(f"{ORGANIZATIONS}/acme-corp").done() == made
    namespace = operator.get("/api/v1/namespaces/acme-corp").done()
    assert namespace["status"] == {"phase": "Active"}
    assert namespace["metadata"]["uid"] == made["metadata"]["uid"]
    assert revisions("acme-corp") == [("ADDED", "OrganizationCreated")]
    assert Organization.history.get().history_user_id == "user:operator"


def test_a_name_that_is_taken_is_refused(operator: Api, organization: Organization) -> None:
    with nothing_changes():
        status = operator.post(ORGANIZATIONS, an_organization("acme-corp")).refused(409, "AlreadyExists")
    assert status["details"] == {"name": "acme-corp", "group": "resources.milo.io", "kind": "Organization"}


@pytest.mark.parametrize("name", ["Acme", "acme_corp", "-acme", "acme-", "a" * 64, "a.b", "ä", "default"])
def test_a_name_that_is_no_dns_label_or_reserved_is_refused(operator: Api, name: str) -> None:
    with nothing_changes():
        answer = operator.post(ORGANIZATIONS, an_organization(name))
    answer.refused(422, "Invalid")
    assert list(answer.causes()) == ["metadata.name"]


def test_nobody_of_an_organization_creates_another(admin: Api) -> None:
    with nothing_changes():
        admin.post(ORGANIZATIONS, an_organization("new-corp")).refused(403, "Forbidden")


def test_a_billing_admin_renames_the_own_organization_for_people(admin: Api) -> None:
    changed = admin.patch(f"{ORGANIZATIONS}/acme-corp", {"spec": {"displayName": "ACME"}}).done()
    assert changed["spec"]["displayName"] == "ACME"
    assert changed["metadata"]["generation"] == 2
    assert revisions("acme-corp")[-1] == ("MODIFIED", "OrganizationRevised")


def test_an_organization_is_never_deleted(operator: Api, organization: Organization) -> None:
    with nothing_changes():
        status = operator.delete(f"{ORGANIZATIONS}/acme-corp").refused(405, "MethodNotAllowed")
    assert "never deleted" in status["message"]
