"""Creating and revising an organization on the staff site."""

import pytest
from django.test import Client

from milo.identity.actors import actor_of
from projects.models import Organization
from projects.services.organizations import OrganizationSpec, revise_organization
from tests.admin.browser import buttons, errors, filled_in, list_of, page_of, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import authors, nothing_changes

pytestmark = pytest.mark.once

CREATE = "/admin/projects/organization/create/"


def test_an_organization_is_created_and_its_page_shown(operator: Client) -> None:
    answer = submit(operator, CREATE, name="acme-corp", display_name="ACME Corp")
    organization = Organization.objects.get(name="acme-corp")
    assert answer.headers["Location"] == page_of(organization)
    assert organization.display_name == "ACME Corp"
    assert authors(organization) == {"user:operator"}


@pytest.mark.parametrize("name", ["Acme Corp", "-acme", ""])
def test_a_name_that_is_no_label_is_refused_at_its_field(name: str, operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, CREATE, name=name)
    assert errors(page)["name"]


def test_a_name_that_is_taken_is_refused(world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, CREATE, name="acme-corp")
    assert errors(page)["__all__"] == ["organization acme-corp already exists"]


def test_a_card_number_is_refused_at_its_field_and_not_kept(operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, CREATE, name="acme-corp", display_name="4111 1111 1111 1111")
    assert "looks like a card number" in errors(page)["display_name"][0]


def test_a_display_name_is_revised(world: World, operator: Client) -> None:
    submit(operator, page_of(world.organization, "revise"), display_name="ACME", why="renamed")
    world.organization.refresh_from_db()
    assert world.organization.display_name == "ACME"
    assert world.organization.history.latest().history_summary == "OrganizationRevised: renamed"


def test_what_changed_since_the_form_was_opened_is_not_overwritten(world: World, operator: Client) -> None:
    address = page_of(world.organization, "revise")
    answers = filled_in(operator.get(address), display_name="mine", why="renamed")
    other = actor_of(make.a_person(groups=("finance-operator",)))
    revise_organization(world.organization.pk, OrganizationSpec("theirs"), actor=other)
    with nothing_changes():
        page = operator.post(address, answers)
    assert "has been modified" in errors(page)["__all__"][0]


def test_the_buttons_are_for_those_who_may(world: World, operator: Client, auditor: Client) -> None:
    export = list_of(Organization, "export")
    assert buttons(operator.get(list_of(Organization))) == {CREATE, export}
    assert buttons(auditor.get(list_of(Organization))) == {export}
    acts = ("open-account", "default-account", "move-projects", "create-project", "revise", "grant")
    here = {page_of(world.organization, act) for act in acts}
    assert buttons(operator.get(page_of(world.organization))) == here
    assert buttons(auditor.get(page_of(world.organization))) == set()
