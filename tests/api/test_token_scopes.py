"""A token may be bound to change less than its user may."""

import pytest

from milo.errors import Invalid
from milo.identity.models import ServiceToken
from projects.models import Organization
from tests.api.client import ACCOUNTS, PROJECTS, Api, nothing_changes
from tests.api.examples import a_project, an_account
from tests.support import make


def test_a_read_only_token_reads_and_changes_nothing(organization: Organization) -> None:
    robot = Api.of(make.a_person("robot", roles={organization: "billing-admin"}), scopes=[])
    assert robot.get(ACCOUNTS).names() == []
    with nothing_changes():
        robot.post(ACCOUNTS, an_account("us")).refused(403, "Forbidden")
        robot.post(PROJECTS, a_project("frontend")).refused(403, "Forbidden")


def test_a_scoped_token_changes_what_it_names_and_no_more_than_its_user_may(organization: Organization) -> None:
    robot = Api.of(make.a_person("robot", roles={organization: "billing-admin"}), scopes=["projects"])
    robot.post(PROJECTS, a_project("frontend")).done(201)
    with nothing_changes():
        robot.post(ACCOUNTS, an_account("us")).refused(403, "Forbidden")
    viewer = Api.of(make.a_person("viewer", roles={organization: "billing-viewer"}), scopes=["projects"])
    with nothing_changes():
        viewer.post(PROJECTS, a_project("backend")).refused(403, "Forbidden")


def test_a_scope_that_is_no_resource_is_refused(organization: Organization) -> None:
    robot = make.a_person("robot")
    with pytest.raises(Invalid):
        make.a_token(robot, scopes=["everything"])
    assert not ServiceToken.objects.filter(user=robot).exists()
