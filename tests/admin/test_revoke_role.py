"""Revoking a role on its page."""

import pytest
from django.test import Client

from milo.admin.messages import why
from projects.models import Membership
from tests.admin.browser import browser, buttons, errors, filled_in, page_of, staff, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.once

WHY = "has left the department"


@pytest.fixture
def held(world: World) -> Membership:
    return Membership.objects.get(user=make.a_person("clerk", roles={world.organization: "billing-user"}))


def test_the_role_goes_and_its_past_stays_on_the_page_of_the_organization(
    world: World, held: Membership, operator: Client
) -> None:
    history, pk = page_of(held, "history"), held.pk
    answer = submit(operator, page_of(held, "revoke"), why=WHY)
    assert answer.headers["Location"] == page_of(world.organization)
    assert not Membership.objects.filter(pk=pk).exists()
    panels = {panel.title: panel for panel in operator.get(page_of(world.organization)).context["panels"]}
    assert [row[1] for row in panels["Roles"].rows] == ["Billing admin"]
    newest = panels["Roles granted and revoked"].rows[0]
    assert newest[1:] == ["clerk", "Billing user", "user:operator", why(f"RoleRevoked: {WHY}")]
    assert history in newest[0]
    assert WHY in operator.get(history).content.decode()


def test_a_reason_must_be_given(held: Membership, operator: Client) -> None:
    with nothing_changes():
        assert list(errors(submit(operator, page_of(held, "revoke")))) == ["why"]


def test_the_last_billing_admin_goes_only_where_the_box_is_ticked(world: World, operator: Client) -> None:
    address = page_of(world.membership, "revoke")
    with nothing_changes():
        page = submit(operator, address, why=WHY)
    assert "is the last active billing-admin" in errors(page)["allow_no_billing_admin"][0]
    assert submit(operator, address, why=WHY, allow_no_billing_admin="on").status_code == 302
    assert not Membership.objects.filter(pk=world.membership.pk).exists()


def test_the_box_stands_only_where_it_is_about_the_last_one(held: Membership, operator: Client) -> None:
    assert list(filled_in(operator.get(page_of(held, "revoke")))) == ["why"]


def test_a_box_ticked_by_a_forged_post_takes_nothing_by_accident(world: World, operator: Client) -> None:
    """The other billing-admin is deactivated after the form was opened without the box."""
    other = make.a_person(roles={world.organization: "billing-admin"})
    address = page_of(world.membership, "revoke")
    opened_before = filled_in(operator.get(address), why=WHY)
    other.is_active = False
    other.save()
    with nothing_changes():
        page = operator.post(address, opened_before)
    assert "is the last active billing-admin" in errors(page)["allow_no_billing_admin"][0]


@pytest.mark.parametrize("role", ["auditor", "finance-approver"])
def test_who_may_not_grant_may_not_revoke(role: str, held: Membership) -> None:
    client = staff(role)
    assert page_of(held, "revoke") not in buttons(client.get(page_of(held)))
    with nothing_changes():
        assert client.post(page_of(held, "revoke"), {"why": WHY}).status_code == 403


def test_it_is_effective_at_the_next_request_of_a_session_that_is_open(world: World, operator: Client) -> None:
    person = make.a_person("both", groups=("auditor",), roles={world.organization: "billing-admin"}, is_staff=True)
    session, address = browser(person), page_of(world.organization, "revise")
    assert address in buttons(session.get(page_of(world.organization)))
    opened_before = filled_in(session.get(address), display_name="Mine", why="renamed")
    submit(operator, page_of(Membership.objects.get(user=person), "revoke"), why=WHY)
    with nothing_changes():
        assert session.post(address, opened_before).status_code == 403
    page = session.get(page_of(world.organization))
    assert page.status_code == 200
    assert address not in buttons(page)


def test_a_role_that_is_gone_is_not_revoked_again(held: Membership, operator: Client) -> None:
    address = page_of(held, "revoke")
    submit(operator, address, why=WHY)
    with nothing_changes():
        assert operator.post(address, {"why": WHY}).status_code == 404
