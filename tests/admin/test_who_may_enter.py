"""The staff site shows all to staff with a role, and nothing at all to anybody else."""

import pytest
from django.test import Client

from tests.admin.browser import STAFF_ROLES, browser, every_act, every_page, staff
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes

FOR_SUPERUSERS = ("/admin/auth/", "/admin/identity/")
FOR_CONTROLLERS = "/admin/identity/login/"
FOR_AUDITORS = ("/admin/auth/user/", "/admin/identity/servicetoken/")
pytestmark = [pytest.mark.usefixtures("life"), pytest.mark.once]


def opened(client: Client) -> set[str]:
    """The pages and acts that answer with a page."""
    return {address for address in every_page() + every_act() if client.get(address).status_code == 200}


@pytest.mark.once  # roles are judged in Python, before a query that an engine could decide
@pytest.mark.parametrize("role", STAFF_ROLES)
def test_each_staff_role_reads_every_page_of_the_ledger(role: str, world: World) -> None:
    client = staff(role)
    for address in every_page():
        closed = address.startswith(FOR_SUPERUSERS)
        if address.startswith(FOR_CONTROLLERS):
            closed = role == "finance-operator"
        if address.startswith(FOR_AUDITORS):
            closed = role != "auditor"
        expected = 403 if closed else 200
        assert client.get(address).status_code == expected, address


@pytest.mark.once
def test_who_only_reads_is_shown_no_form(world: World, auditor: Client) -> None:
    assert {auditor.get(address).status_code for address in every_act()} == {403}


@pytest.mark.once
def test_who_decides_is_shown_the_forms_to_decide_alone(world: World, approver: Client) -> None:
    acts = [address for address in every_act() if approver.get(address).status_code == 200]
    assert [address.split("/")[-2] for address in acts] == ["approve", "reject"]


def strangers(world: World) -> dict[str, Client]:
    roles = {world.organization: "billing-admin"}
    return {
        "nobody": Client(),
        "a customer": browser(make.a_person(roles=roles)),
        "a person with a staff role who is not staff": browser(make.a_person(groups=STAFF_ROLES)),
        "staff without a role": staff(),
        "staff with a role in an organization alone": staff(roles=roles),
        "staff with the role of a program": staff("usage-reporter"),
    }


@pytest.mark.once
def test_nobody_else_opens_any_page_or_act(world: World) -> None:
    for who, client in strangers(world).items():
        assert opened(client) == set(), who


@pytest.mark.once
def test_nobody_else_gets_an_act_done_by_a_forged_post(world: World) -> None:
    everyone = strangers(world)
    with nothing_changes():
        for who, client in everyone.items():
            for address in every_act():
                assert client.post(address, {"confirm": "1"}).status_code in (302, 403), (who, address)


def test_a_person_locked_out_is_locked_out_at_the_next_request(world: World) -> None:
    person = make.a_person(groups=("auditor",), is_staff=True)
    client = browser(person)
    assert client.get("/admin/").status_code == 200
    person.is_active = False
    person.save()
    assert client.get("/admin/").status_code == 302


def test_a_role_taken_away_counts_at_the_next_request(world: World) -> None:
    person = make.a_person(groups=("auditor",), is_staff=True)
    client = browser(person)
    assert client.get("/admin/").status_code == 200
    person.groups.clear()
    assert client.get("/admin/").status_code == 302


@pytest.mark.once
def test_the_page_to_log_in_names_nothing_of_the_ledger(world: World) -> None:
    for who, client in strangers(world).items():
        page = client.get("/admin/login/?next=/admin/")
        assert (page.status_code, page.context["available_apps"]) == (200, []), who
        assert "acme-corp" not in page.content.decode()
