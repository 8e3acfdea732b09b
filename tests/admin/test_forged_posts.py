"""No POST changes the ledger but that of an act: not to a page, not to a past version, by nobody."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client

from billing.models import BillingAccount
from milo.admin.ledger import LedgerAdmin
from milo.ledger.models import Inspection, Salt
from milo.ledger.tables import all_tables
from milo.ledger.tasks import seal_ledger
from tests.admin.browser import STAFF_ROLES, every_act, list_of, page_of, staff, superuser
from tests.admin.conftest import Life, World
from tests.support.ledger import nothing_changes

PEOPLE: dict[str, Callable[[], Client]] = {
    **{role: lambda role=role: staff(role) for role in STAFF_ROLES},  # type: ignore[misc]
    "superuser": superuser,
}
pytestmark = [pytest.mark.usefixtures("life"), pytest.mark.once]
LEDGER = [model for model, page in admin.site._registry.items() if isinstance(page, LedgerAdmin)]


def everything_else(row: Model) -> dict[str, Any]:
    """A form that would change each column of `row`, were there one."""
    data: dict[str, Any] = {
        column.name: "Archived" if column.name == "phase" else "2" for column in row._meta.concrete_fields
    }
    return data | {"_save": "Save", "_change_history": "1", "post": "yes", "phase": "Archived", "action": "x"}


@pytest.fixture(params=PEOPLE)
def client(request: pytest.FixtureRequest, world: World) -> Client:
    return PEOPLE[request.param]()


def a_row_of_each() -> list[Any]:
    rows = [model._default_manager.first() for model in LEDGER]
    assert all(rows)
    return rows


def test_a_row_is_neither_added_changed_deleted_nor_reverted(client: Client) -> None:
    with nothing_changes():
        for row in a_row_of_each():
            oldest = row.history.earliest().pk
            addresses = [list_of(type(row)), list_of(type(row), "add")]
            addresses += [page_of(row, part) for part in ("change", "delete", "history", f"history/{oldest}")]
            for address in addresses:
                assert client.post(address, everything_else(row)).status_code in (403, 405), address


def test_neither_seals_nor_rows_of_history_have_a_page_to_post_to(world: World) -> None:
    assert seal_ledger() > 0
    client = superuser()
    sealed = (table.model for table in all_tables())
    # notices and service users have a page to read, which `a_row_of_each` posts to
    models: list[type[Model]] = [Salt, Inspection, *(model for model in sealed if not admin.site.is_registered(model))]
    assert BillingAccount.history.model in models
    with nothing_changes():
        for model in models:
            for part in ("add/", f"{model._base_manager.values_list('pk', flat=True).first()}/change/", ""):
                address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{part}"
                assert client.post(address, {"_save": "Save", "action": "delete_selected"}).status_code == 404, address


@pytest.mark.once  # refused by what a page admits, before the database could
def test_there_is_no_form_to_add_or_delete_a_row(client: Client) -> None:
    for row in a_row_of_each():
        for address in (list_of(type(row), "add"), page_of(row, "delete")):
            assert client.get(address).status_code == 403, address


def test_a_page_holds_no_field_to_type_into(world: World) -> None:
    client = superuser()
    for row in (world.organization, world.project, world.us, world.second, world.membership, world.token):
        for part in ("change", f"history/{row.history.latest().pk}"):
            page = client.get(page_of(row, part))
            assert page.context["adminform"].form.fields == {}, page_of(row, part)


@pytest.mark.once  # roles are judged in Python
@pytest.mark.parametrize(("role", "may"), [("auditor", set()), ("finance-approver", {"approve", "reject"})])
def test_who_may_not_gets_no_act_done(role: str, may: set[str], world: World) -> None:
    client = staff(role)
    answers = {
        "organization": world.organization.pk,
        "name": "forged",
        "user": world.membership.user_id,
        "role": "billing-user",
        "account": world.us.pk,
        "resource_version": "1",
        "description": "forged",
        "confirm": "1",
    }
    with nothing_changes():
        for address in every_act():
            if address.split("/")[-2] in may:
                continue
            assert client.post(address, answers).status_code == 403, address


@pytest.mark.parametrize(
    ("part", "status"), [("approve", 403), ("reject", 403), ("withdraw", 200), ("renew", 200)], ids=lambda value: value
)
def test_an_operator_decides_nothing_and_changes_no_request_of_another(
    part: str, status: int, life: Life, operator: Client
) -> None:
    with nothing_changes():
        assert operator.post(page_of(life.request, part), {"comment": "forged", "confirm": "1"}).status_code == status


def test_what_needs_a_second_person_has_no_address_of_its_own(life: Life) -> None:
    client = superuser()
    with nothing_changes():
        for part in ("close", "reopen", "reactivate", "archive", "purge", "releasehold", "validate"):
            answer = client.post(page_of(life.request.account, part), {"confirm": "1"})
            # Django takes what it does not know for the key of a row
            assert answer.headers["Location"].endswith(f"/{part}/change/"), part


def test_a_site_of_somebody_else_gets_no_act_done(world: World) -> None:
    operator = staff("finance-operator", name="operator")
    careful = Client(enforce_csrf_checks=True)
    careful.cookies = operator.cookies
    with nothing_changes():
        assert careful.post(page_of(world.project, "archive")).status_code == 403


@pytest.mark.once  # refused by what a page admits
def test_an_act_takes_get_and_post_only(world: World, operator: Client, subtests: pytest.Subtests) -> None:
    with nothing_changes():
        for method in ("put", "patch", "delete", "options"):
            with subtests.test(method):
                assert getattr(operator, method)(page_of(world.project, "archive")).status_code == 405


@pytest.mark.once
def test_a_page_takes_get_only(world: World, operator: Client, subtests: pytest.Subtests) -> None:
    with nothing_changes():
        for method, part in product(("put", "patch", "delete"), ("change", "history")):
            with subtests.test(f"{method} {part}"):
                assert getattr(operator, method)(page_of(world.project, part)).status_code == 405


def test_an_address_of_nothing_leads_nowhere(world: World, operator: Client, subtests: pytest.Subtests) -> None:
    for part in ("0/change/", "x/change/", "x/history/", "1/history/x/", "1/history/0/", "0/archive/"):
        with subtests.test(part):
            assert operator.get(list_of(type(world.project)) + part).status_code in (302, 404)
