from typing import Any

import pytest

from billing.services.projects import archive_project
from projects.models import Organization, Project
from tests.api.client import JSON_PATCH, PROJECTS, Api, nothing_changes
from tests.api.conftest import revisions
from tests.support import make

WEBAPP = f"{PROJECTS}/webapp-frontend"


@pytest.fixture
def titled_project(organization: Organization) -> Project:
    return make.a_project(organization, "webapp-frontend", display_name="Webapp")


@pytest.mark.parametrize(
    ("content_type", "patch"),
    [
        ("application/merge-patch+json", {"spec": {"displayName": "Shop"}}),
        ("application/strategic-merge-patch+json", {"spec": {"displayName": "Shop"}}),
        ("application/json", {"spec": {"displayName": "Shop"}}),
        ("application/json-patch+json", [{"op": "replace", "path": "/spec/displayName", "value": "Shop"}]),
    ],
)
def test_a_patch_changes_what_it_names(admin: Api, titled_project: Project, content_type: str, patch: Any) -> None:
    changed = admin.patch(WEBAPP, patch, content_type).done()
    assert changed["spec"] == {"organizationRef": {"name": "acme-corp"}, "displayName": "Shop"}
    assert changed["metadata"]["generation"] == 2
    assert revisions("webapp-frontend")[1:] == [("MODIFIED", "ProjectRevised")]
    assert admin.get(WEBAPP).done() == changed


def test_labels_change_the_revision_and_not_the_generation(admin: Api, titled_project: Project) -> None:
    changed = admin.patch(WEBAPP, {"metadata": {"labels": {"tier": "gold"}}}).done()
    assert changed["metadata"]["labels"] == {"tier": "gold"}
    assert changed["metadata"]["generation"] == 1
    removed = admin.patch(WEBAPP, {"metadata": {"labels": {"tier": None}}}).done()
    assert "labels" not in removed["metadata"]
    assert int(removed["metadata"]["resourceVersion"]) > int(changed["metadata"]["resourceVersion"])


def test_a_project_stays_with_its_organization(operator: Api, titled_project: Project, other: Organization) -> None:
    with nothing_changes():
        answer = operator.patch(WEBAPP, {"spec": {"organizationRef": {"name": "other-corp"}}})
    answer.refused(422, "Invalid")
    assert answer.causes() == {
        "spec.organizationRef.name": "a project stays in its organization: archive it and create another there"
    }


def test_status_is_not_the_clients_to_write(admin: Api, titled_project: Project) -> None:
    with nothing_changes():
        patched = admin.patch(WEBAPP, {"status": {"phase": "Archived"}}).done()
        put = admin.put(WEBAPP, patched | {"status": {"phase": "Archived"}}).done()
    assert (patched["status"]["phase"], put["status"]["phase"]) == ("Active", "Active")


def test_server_owned_metadata_comes_from_the_stored_object(admin: Api, titled_project: Project) -> None:
    with nothing_changes():
        changed = admin.patch(WEBAPP, {"metadata": {"generation": 9, "creationTimestamp": "2001-01-01T00:00:00Z"}})
    assert changed.done()["metadata"]["generation"] == 1


def test_a_json_patch_whose_test_fails_is_refused_whole(admin: Api, titled_project: Project) -> None:
    patch = [
        {"op": "replace", "path": "/spec/displayName", "value": "Shop"},
        {"op": "test", "path": "/spec/organizationRef/name", "value": "other-corp"},
    ]
    with nothing_changes():
        admin.patch(WEBAPP, patch, JSON_PATCH).refused(422, "Invalid")


def test_an_archived_project_is_read_only(admin: Api, titled_project: Project) -> None:
    archive_project(titled_project.pk, actor=make.PLATFORM)
    with nothing_changes():
        admin.patch(WEBAPP, {"spec": {"displayName": "Shop"}}).refused(422, "Invalid")
        admin.patch(WEBAPP, {"metadata": {"labels": {"tier": "gold"}}}).refused(422, "Invalid")


def test_a_viewer_may_not_and_a_stranger_finds_nothing(viewer: Api, stranger: Api, titled_project: Project) -> None:
    with nothing_changes():
        viewer.patch(WEBAPP, {"spec": {"displayName": "Shop"}}).refused(403, "Forbidden")
        stranger.patch(WEBAPP, {"spec": {"displayName": "Shop"}}).refused(404, "NotFound")


def test_a_project_is_never_deleted_and_told_how_to_archive(admin: Api, titled_project: Project) -> None:
    with nothing_changes():
        status = admin.delete(WEBAPP).refused(405, "MethodNotAllowed")
    assert "archive" in status["message"]
