"""Creating and revising a project on the staff site."""

import pytest
from django.test import Client

from milo.kube.metadata import Metadata
from projects.models import Project
from projects.services.projects import ProjectSpec, revise_project
from tests.admin.browser import buttons, errors, filled_in, list_of, page_of, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import authors, nothing_changes

CREATE = "/admin/projects/project/create-project/"


def test_a_project_is_created_from_the_list(world: World, operator: Client) -> None:
    answer = submit(
        operator,
        CREATE,
        organization=world.organization.pk,
        name="data-lake",
        display_name="Data lake",
        contact_email_addresses="team@acme-corp.example\n\n lead@acme-corp.example ",
    )
    project = Project.objects.get(name="data-lake")
    assert answer.headers["Location"] == page_of(project)
    assert project.organization == world.organization
    assert project.contact_email_addresses == ["team@acme-corp.example", "lead@acme-corp.example"]
    assert authors(project) == {"user:operator"}


def test_a_project_is_created_on_the_page_of_its_organization(world: World, operator: Client) -> None:
    other = make.an_organization()
    address = page_of(world.organization, "create-project")
    assert "organization" not in operator.get(address).context["form"].fields
    submit(operator, address, name="data-lake", organization=other.pk)
    assert Project.objects.get(name="data-lake").organization == world.organization


def test_an_address_that_is_none_is_refused_at_its_line(world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(
            operator,
            CREATE,
            organization=world.organization.pk,
            name="data-lake",
            contact_email_addresses="team@acme-corp.example\nnobody",
        )
    assert errors(page)["contact_email_addresses"] == ["2: is not an e-mail address"]
    assert errors(page)["__all__"] == ["the request is invalid"]


@pytest.mark.parametrize(("name", "said"), [("webapp-frontend", "__all__"), ("Web App", "name")])
def test_a_name_that_is_taken_or_wrong_is_refused(name: str, said: str, world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, CREATE, organization=world.organization.pk, name=name)
    assert said in errors(page)


def test_a_project_is_revised_and_keeps_what_the_form_does_not_show(world: World, operator: Client) -> None:
    metadata = Metadata(labels={"team": "web"})
    revise_project(world.project.pk, ProjectSpec("Web shop"), metadata, actor=make.PLATFORM)
    submit(operator, page_of(world.project, "revise"), display_name="Shop", why="renamed")
    world.project.refresh_from_db()
    assert world.project.history.latest().history_summary == "ProjectRevised: renamed"
    assert world.project.display_name == "Shop"
    assert world.project.labels == {"team": "web"}


def test_what_changed_since_the_form_was_opened_is_not_overwritten(world: World, operator: Client) -> None:
    address = page_of(world.project, "revise")
    answers = filled_in(operator.get(address), display_name="mine", why="renamed")
    revise_project(world.project.pk, ProjectSpec("theirs"), actor=make.PLATFORM)
    with nothing_changes():
        page = operator.post(address, answers)
    assert "has been modified" in errors(page)["__all__"][0]


def test_the_list_offers_to_create_one_to_those_who_may(operator: Client, auditor: Client) -> None:
    for_all = {list_of(Project, "unassigned-usage"), list_of(Project, "export")}
    assert buttons(operator.get(list_of(Project))) == for_all | {CREATE, list_of(Project, "move-projects")}
    assert buttons(auditor.get(list_of(Project))) == for_all
