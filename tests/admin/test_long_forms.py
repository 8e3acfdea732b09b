"""Forms of the staff site hold no table: however many rows there are, a form finds one while somebody types."""

import re
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import User
from django.test import Client
from django.utils.html import escape

from billing.services.default_accounts import default_of
from milo.admin.suggestions import SuggestedRow
from projects.models import Organization, Project
from tests.admin.browser import errors, every_act, filled_in, list_of, page_of, superuser
from tests.admin.conftest import Life, World
from tests.support import make
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.once  # rendered in Python

ROWS = 30
_CHOICE = re.compile(r'<option|type="(?:checkbox|radio)"')


def many_of_each(world: World) -> None:
    for _number in range(ROWS):
        organization = make.an_organization()
        make.a_ready_account(organization)
        make.a_ready_account(world.organization)
        make.a_binding(make.a_project(world.organization), world.eu)
        person = make.a_person(is_staff=True, roles={world.organization: "billing-viewer"})
        make.a_token(person)


def test_no_form_grows_with_the_number_of_rows(world: World, life: Life) -> None:
    client, addresses = superuser(), every_act()
    addresses += [list_of(model) for model in (Organization, Project, User)]
    pages = {address: client.get(address) for address in addresses}
    assert {page.status_code for page in pages.values()} == {200}
    fields = [
        field for page in pages.values() if "form" in page.context for field in page.context["form"].fields.items()
    ]
    # holds and open suspensions are those of one account, and few
    assert [name for name, field in fields if is_list_of_rows(field)] == []
    many_of_each(world)
    for address, before in pages.items():
        assert choices(client.get(address)) == choices(before), address


def is_list_of_rows(field: forms.Field) -> bool:
    return isinstance(field, forms.ModelChoiceField) and not isinstance(field, SuggestedRow)


def choices(page: Any) -> int:
    return len(_CHOICE.findall(re.sub(r"<table.*</table>", "", page.content.decode(), flags=re.DOTALL)))


def suggested(client: Client, address: str, field: str, term: str) -> list[str]:
    return [found["text"] for found in client.get(address, {"search": field, "term": term}).json()["results"]]


def test_without_script_the_whole_name_of_a_row_is_typed(world: World, operator: Client) -> None:
    address = page_of(world.organization, "default-account")
    make.a_ready_account(make.an_organization(), "theirs")
    page = operator.get(address)
    [box] = re.findall(r"<noscript>(.*?)</noscript>", page.content.decode(), re.DOTALL)
    assert 'name="account-name"' in box
    sent = filled_in(page, why="the department moved")
    # a part of a name, one of others, and a key
    for typed in ("acme", "theirs", str(world.us.pk), "a\0", "<b>"):
        with nothing_changes():
            refused = operator.post(address, {**sent, "account-name": typed, "confirm": "1"})
        assert "account" in errors(refused)
        assert escape(typed) in refused.content.decode()
    shown = operator.post(address, {**sent, "account-name": " acme-us "})
    assert shown.context["preview"][0][1] == "- → acme-us"
    assert operator.post(address, {**filled_in(shown), "confirm": "1"}).status_code == 302
    assert default_of(world.organization) == world.us
    # what is typed goes before what was chosen
    page = operator.get(address)
    answer = operator.post(address, {**filled_in(page, why="again"), "account-name": "acme-eu", "edit": "1"})
    assert f'<option value="{world.eu.pk}" selected>' in answer.content.decode()


def test_rows_are_suggested_by_what_people_know_of_them(world: World, operator: Client) -> None:
    make.a_person("gone", is_active=False)
    User.objects.filter(username="acme-admin").update(last_name="Lovelace")
    grant = page_of(world.organization, "grant")
    assert suggested(operator, grant, "user", "LOVE") == suggested(operator, grant, "user", "acme-a") == ["acme-admin"]
    assert suggested(operator, grant, "user", "gone") == []
    bind = page_of(world.project, "bind")
    make.in_phase(make.a_ready_account(world.organization, "acme-attic"), "Suspended")
    assert suggested(operator, bind, "account", "acme") == ["acme-eu (EUR)", "acme-us (USD)"]
    make.a_ready_account(make.an_organization("other-corp"), "acme-us")
    move = list_of(Project, "move-projects")
    assert suggested(operator, move, "account", "acme-us other") == ["acme-us (other-corp)"]
    assert suggested(operator, move, "organization", "OTHER") == ["other-corp"]
    assert suggested(operator, page_of(world.organization, "move-projects"), "source", "us") == ["acme-us (Ready)"]
