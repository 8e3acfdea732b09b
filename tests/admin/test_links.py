"""Pages lead both ways: who pays for what now and before, from the account and from the project."""

import re
from html import unescape
from typing import Any
from urllib.parse import urljoin

import pytest
from django.db.models import Model
from django.test import Client

from billing.models import BillingAccountBinding
from tests.admin.browser import every_act, every_page, list_of, page_of, panels_of, staff
from tests.admin.conftest import Life, World
from tests.support import make

pytestmark = pytest.mark.once


def panel(client: Client, row: Model, title: str) -> Any:
    """A table below a row."""
    return next(panel for panel in panels_of(client, row) if panel.title == title)


def cells(client: Client, row: Model, title: str) -> list[list[str]]:
    return [[str(cell) for cell in found] for found in panel(client, row, title).rows]


def test_an_account_shows_what_it_pays_for_now(world: World, operator: Client) -> None:
    [[project, since, binding]] = cells(operator, world.eu, "Pays for now")
    assert page_of(world.project) in project
    assert since == f"{world.second.established_at:%Y-%m-%d %H:%M:%S} UTC"
    assert page_of(world.second) in binding
    assert cells(operator, world.us, "Pays for now") == []


def test_an_account_shows_what_it_paid_for_before(world: World, operator: Client) -> None:
    [[project, since, until, reason, binding]] = cells(operator, world.us, "Paid for before")
    assert page_of(world.project) in project
    assert since == f"{world.first.established_at:%Y-%m-%d %H:%M:%S} UTC"
    assert until == f"{world.first.ended_at:%Y-%m-%d %H:%M:%S} UTC"
    assert ">Binding superseded<" in reason
    assert page_of(world.first) in binding
    assert cells(operator, world.eu, "Paid for before") == []


def test_a_project_shows_its_time_line_newest_first(world: World, operator: Client) -> None:
    now, before = cells(operator, world.project, "Bindings, the latest first")
    assert page_of(world.eu) in now[0]
    assert now[2:5] == ["-", "Active", "-"]
    assert page_of(world.us) in before[0]
    assert before[2] == now[1]
    assert (before[3], ">Binding superseded<" in before[4]) == ("Superseded", True)


def test_a_binding_leads_to_its_project_its_account_and_its_neighbours(world: World, operator: Client) -> None:
    newer = operator.get(page_of(world.second)).content.decode()
    for row in (world.project, world.eu, world.organization, world.first):
        assert page_of(row) in newer
    assert page_of(world.second) in operator.get(page_of(world.first)).content.decode()


def test_an_organization_shows_its_accounts_projects_and_roles(world: World, operator: Client) -> None:
    accounts = cells(operator, world.organization, "Billing accounts")
    assert [page_of(row) in cell[0] for row, cell in zip((world.eu, world.us), accounts, strict=True)] == [True, True]
    [[project, *_rest]] = cells(operator, world.organization, "Projects")
    assert page_of(world.project) in project
    [[person, role, *_rest]] = cells(operator, world.organization, "Roles")
    assert "acme-admin" in person
    assert role == "Billing admin"


def test_the_list_of_projects_shows_who_pays(world: World, operator: Client) -> None:
    make.a_project(world.organization, "data-lake")
    shown = operator.get("/admin/projects/project/").context["cl"]
    payers = {row.name: shown.model_admin.payer(row) for row in shown.result_list}
    assert page_of(world.eu) in payers["webapp-frontend"]
    assert payers["data-lake"] == "-"


def test_more_than_fits_below_a_row_is_in_a_list(world: World, operator: Client) -> None:
    for _more in range(20):
        make.a_binding(make.a_project(world.organization), world.eu)
    shown = panel(operator, world.eu, "Pays for now")
    assert len(shown.rows) == 20
    more = operator.get(shown.more).context["cl"]
    assert more.result_count == 21
    assert {row.account for row in more.result_list} == {world.eu}
    assert shown.more.startswith(list_of(BillingAccountBinding))


def test_a_page_says_who_changed_it_last_when_and_why(world: World, operator: Client) -> None:
    when, who, why = cells(operator, world.first, "Latest changes")[0]
    assert when == f"{world.first.history.latest().history_date:%Y-%m-%d %H:%M:%S} UTC"
    assert who == "system:tests"
    assert why.endswith(">Binding superseded</data>: acme-eu pays from now on")


def test_a_project_shows_who_paid_at_the_instant_that_is_asked_for(world: World, operator: Client) -> None:
    def payers(asked: str) -> list[str]:
        page = operator.get(page_of(world.project), {"paidOn": asked})
        found = next(panel for panel in page.context["panels"] if panel.title == "Bindings, the latest first")
        return [str(row[0]) for row in found.rows]

    before = f"{world.first.established_at:%Y-%m-%dT%H:%M:%S.%f}"
    [payer] = payers(before)
    assert page_of(world.us) in payer
    assert payers("2000-01-01T00:00") == []
    assert len(payers("nonsense")) == len(payers("2026-13-01T00:00")) == 2
    assert (
        f'name="paidOn" value="{before}"' in operator.get(page_of(world.project), {"paidOn": before}).content.decode()
    )


@pytest.mark.parametrize("role", ["finance-operator", "auditor", "platform-admin"])
def test_every_link_of_every_page_opens_for_the_person_who_sees_it(role: str, life: Life) -> None:
    client = staff(role, name="reader")
    opened: dict[str, int] = {}

    def status(address: str) -> int:
        # of two objects of a kind whoever may open the one may open the other
        kind = re.sub("[0-9]+", "0", address)
        if kind not in opened:
            opened[kind] = client.get(address).status_code
        return opened[kind]

    dead = {}
    for page in [*every_page(), *every_act(), "/admin/own-token/", "/admin/second-factor/"]:
        answer = client.get(page)
        if answer.status_code != 200 or answer.streaming or "text/html" not in answer.headers["Content-Type"]:
            continue
        for link in re.findall(r'<a\b[^>]*?\shref="([^"]+)"', answer.content.decode()):
            # of a list in another order or with another filter no more is permitted than of the list
            address = urljoin(page, unescape(link)).partition("#")[0].partition("?")[0]
            if address.startswith("/admin/") and status(address) >= 400:
                dead[address] = page
    assert len(opened) > 20
    assert dead == {}
