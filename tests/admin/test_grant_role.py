"""Granting a role in an organization on its page."""

from django.test import Client

from projects.models import Membership
from tests.admin.browser import errors, page_of, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes


def test_a_role_is_granted_in_the_name_of_who_pressed_the_button(world: World, operator: Client) -> None:
    person = make.a_person("requester")
    answer = submit(operator, page_of(world.organization, "grant"), user=person.pk, role="billing-user")
    assert answer.headers["Location"] == page_of(world.organization)
    held = Membership.objects.get(user=person)
    assert (held.organization, held.role) == (world.organization, "billing-user")
    assert held.history.get().history_user_id == "user:operator"
    assert "requester" in operator.get(page_of(world.organization)).content.decode()


def test_granting_again_changes_nothing(world: World, operator: Client) -> None:
    with nothing_changes():
        submit(operator, page_of(world.organization, "grant"), user=world.membership.user_id, role="billing-admin")


def test_an_unknown_role_is_refused(world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, page_of(world.organization, "grant"), user=world.membership.user_id, role="owner")
    assert list(errors(page)) == ["role"]


def test_a_disabled_person_is_no_choice(world: World, operator: Client) -> None:
    gone = make.a_person(is_active=False)
    with nothing_changes():
        page = submit(operator, page_of(world.organization, "grant"), user=gone.pk, role="billing-user")
    assert list(errors(page)) == ["user"]
