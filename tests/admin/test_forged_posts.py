"""No POST changes the ledger but that of an act: not to a page, not to a past version, by nobody."""

import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.forms import CharField, ModelChoiceField
from django.test import Client

from billing.models import BillingAccount
from milo.access import Actor
from milo.admin.actions import ServiceAction
from milo.admin.exports import ListExport
from milo.admin.ledger import LedgerAdmin
from milo.admin.read_only import ReadOnlyAdmin
from milo.identity.actors import actor_of
from milo.identity.models import SavedFilter
from milo.ledger.models import Inspection, Salt
from milo.ledger.tables import all_tables
from milo.ledger.tasks import seal_ledger
from projects.models import Membership, Organization
from tests.admin.browser import STAFF_ROLES, browser, every_page, list_of, page_of, staff, superuser
from tests.admin.conftest import Life, World
from tests.support import make
from tests.support.ledger import nothing_changes

PEOPLE: dict[str, Callable[[], Client]] = {
    **{role: lambda role=role: staff(role) for role in STAFF_ROLES},  # type: ignore[misc]
    "superuser": superuser,
}
pytestmark = [pytest.mark.usefixtures("life"), pytest.mark.once]
# lists, rows and their histories, which `a_row_of_each` posts to
OF_A_ROW = re.compile(r"/admin/\w+/\w+/(?:\d+/(?:change|history(?:/\d+)?)/)?")
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


def acts() -> Iterator[tuple[type[ServiceAction], int | None, str]]:
    """Each act, on one row of each kind, with the organization whose roles count for it, and its address."""
    for model, page in admin.site._registry.items():
        if not isinstance(page, ReadOnlyAdmin):
            continue
        row = model._default_manager.first()
        assert row, model
        yield from ((act, None, list_of(model, act.name)) for act in page.list_actions)
        yield from ((act, page.organization_id(row), page_of(row, act.name)) for act in page.object_actions)


def acts_refused(actor: Actor | None) -> Iterator[str]:
    """Each address of an act that `actor` may not do, by what decides which buttons are shown; None may do nothing."""
    return (address for act, owner, address in acts() if actor is None or not act.allowed(actor, owner))


def pages() -> set[str]:
    """Each address that takes POST for a file or for something of the person alone, and tabs and reports."""
    names = [list_of(model, "export") for model, page in admin.site._registry.items() if isinstance(page, ListExport)]
    names += [f"/admin/{name}/" for name in ("reveal", "filters", "time-zone", "sessions")]
    # another search or scope is the same view
    return {*names, *(it for it in every_page() if not OF_A_ROW.fullmatch(it) and not ("?q=" in it or "scope=" in it))}


@pytest.mark.parametrize("role", [*STAFF_ROLES, Membership.Role.BILLING_ADMIN])
def test_a_forged_post_of_any_form_changes_nothing_whoever_sends_it(role: str, world: World) -> None:
    member = role not in STAFF_ROLES
    person = make.a_person(roles={world.organization: role}) if member else make.a_person(groups=(role,), is_staff=True)
    client, actor = browser(person), None if member else actor_of(person)
    forged = {
        "organization": world.organization.pk,
        "name": "forged",
        "user": world.membership.user_id,
        "role": "billing-user",
        "account": world.us.pk,
        "resource_version": "1",
        "description": "forged",
        "confirm": "1",
        "page": "https://elsewhere.example/",
        "query": "q=a",
        "format": "99",
        "zone": "Mars/Olympus",
    }
    with nothing_changes():
        refused = {address: client.post(address, forged).status_code for address in acts_refused(actor)}
        answers = {address: client.post(address, forged) for address in pages()}
    assert not SavedFilter.objects.exists()
    assert refused
    read = {address: answer.status_code for address, answer in answers.items()}
    if member:
        # who may not enter is sent to the log-in, or refused
        assert {*refused.values(), *read.values()} <= {302, 403}
    else:
        assert set(refused.values()) == {403}, refused
        assert {*read.values()} <= {200, 302, 400, 403, 404, 405}, read
    assert not [address for address, answer in answers.items() if "elsewhere" in answer.headers.get("Location", "")]


def nonsense(form: Any, foreign: Organization) -> list[dict[str, Any]]:
    """What fills all fields of a form so that it says nothing: too long, with NUL, keys of others and of nothing."""
    texts = [name for name, field in form.fields.items() if isinstance(field, CharField | ModelChoiceField)]
    chosen = {name: form.fields[name] for name in texts if isinstance(form.fields[name], ModelChoiceField)}
    keys = {Organization: foreign.pk, BillingAccount: BillingAccount.objects.get(organization=foreign).pk}
    of_others = {name: keys.get(field.queryset.model, 10**30) for name, field in chosen.items()}
    fillings = [dict.fromkeys(form.fields, "x" * 9000), dict.fromkeys(form.fields, "a\x00b")] if texts else []
    return [*fillings, *([dict.fromkeys(form.fields, "") | of_others] if of_others else [])]


def test_no_value_in_the_form_of_an_act_that_one_may_do_is_a_fault_of_the_server(world: World) -> None:
    """Each act by one person who may do it: blank, and with one other nonsense in turn, so that a run takes seconds."""
    foreign = make.an_organization("other-corp")
    make.a_ready_account(foreign, "other-us")
    people = [make.a_person(groups=(role,), is_staff=True) for role in STAFF_ROLES]
    people.append(make.a_person(is_staff=True, is_superuser=True))
    clients = [(actor_of(person), browser(person)) for person in people]
    posted: dict[str, int] = {}
    with nothing_changes():
        for turn, (act, owner, address) in enumerate(acts()):
            client = next((client for actor, client in clients if act.allowed(actor, owner)), None)
            if client is None:
                continue
            needs = any(field.required for field in act.form_class.base_fields.values())
            page = client.post(address, {"confirm": "1"}) if needs else client.get(address)
            assert page.status_code in (200, 404), address
            tried = nonsense(page.context["form"], foreign) if page.status_code == 200 else []
            if tried:
                answer = client.post(address, tried[turn % len(tried)] | {"confirm": "1"})
                assert answer.status_code == 200, address
                assert not answer.context["form"].is_valid(), address
                posted[address] = turn % len(tried)
    assert len(posted) > 30
    assert {*posted.values()} == {0, 1, 2}


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
