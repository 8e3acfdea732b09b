"""Addresses of lists: what filters and search name can be asked, and nothing else of any model."""

from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin
from django.db.models import Field, Model
from django.test import Client

from billing.models import BillingAccount
from tests.admin.browser import list_of, page_of, superuser
from tests.admin.conftest import World

pytestmark = [pytest.mark.django_db, pytest.mark.once]
REFUSED = ["regex", "iregex", "startswith", "istartswith", "contains", "icontains", "gt", "lt", "range", "year__gt"]
MODELS = list(admin.site._registry)


def fields(model: type[Model], depth: int = 2) -> Iterator[str]:
    """Every field of a model, and those of the models that it points to."""
    for field in model._meta.get_fields():
        if isinstance(field, Field):
            yield field.name
            if depth and field.related_model and isinstance(field.related_model, type):
                yield from (f"{field.name}__{inner}" for inner in fields(field.related_model, depth - 1))


@pytest.fixture
def root() -> Client:
    return superuser()


@pytest.mark.once  # what may be asked is judged before the database is asked
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_list_answers_a_lookup_that_its_filters_and_search_do_not_name(model: type[Model], root: Client) -> None:
    admitted = set()
    request = root.get(list_of(model)).wsgi_request
    model_admin = admin.site._registry[model]
    for field in fields(model):
        for lookup in REFUSED:
            assert not model_admin.lookup_allowed(f"{field}__{lookup}", "x", request), (field, lookup)
        admitted |= {field} if model_admin.lookup_allowed(f"{field}__exact", "x", request) else set()
    filters: list[Any] = [item for item in model_admin.list_filter if not isinstance(item, type)]
    named = {item if isinstance(item, str) else item[0] for item in filters}
    named |= {f"{name}__id" for name in named} | set(model_admin.search_fields)
    assert admitted == named & set(fields(model))
    for lookup in ("regex", "startswith"):
        first = next(fields(model))
        assert root.get(list_of(model), {f"{first}__{lookup}": "(a+)+$"}).status_code == 400


@pytest.mark.once
@pytest.mark.parametrize(
    ("path", "lookup"),
    [
        ("identity/servicetoken", "digest__startswith"),
        ("identity/servicetoken", "digest"),
        ("identity/servicetoken", "user__password__startswith"),
        ("auth/user", "password__startswith"),
        ("billing/billingaccount", "display_name__regex"),
        ("projects/membership", "user__password__regex"),
    ],
)
def test_secrets_are_not_guessed_letter_by_letter(path: str, lookup: str, root: Client) -> None:
    assert root.get(f"/admin/{path}/", {lookup: "p"}).status_code == 400


LISTS = [
    pytest.param(list_of(model), model_admin, id=model.__name__) for model, model_admin in admin.site._registry.items()
]


@pytest.mark.parametrize(("address", "model_admin"), LISTS)
@pytest.mark.parametrize("number", ["9" * 19, "\u0669" * 30, "1," + "9" * 50])
def test_a_number_beyond_every_key_is_refused(address: str, model_admin: Any, number: str, root: Client) -> None:
    asked = [
        (item if isinstance(item, str) else item[0]) for item in model_admin.list_filter if not isinstance(item, type)
    ]
    for name in {"pk", *asked}:
        for lookup in ("", "__id__exact", "__in"):
            assert root.get(address, {f"{name}{lookup}": number}).status_code == 400, (name, lookup)


NONSENSE = list(
    product(
        ("p", "o", "all", "_facets", "_popup", "_to_field", "e", "_changelist_filters"),
        ("-1", "9" * 5000, "x", "\x00", "digest"),
    )
)


@pytest.mark.once  # what is no page and no order is refused before the database is asked
@pytest.mark.parametrize(("address", "model_admin"), LISTS)
def test_a_page_or_an_order_that_is_none_is_no_fault_of_the_server(
    address: str, model_admin: Any, root: Client
) -> None:
    # each list takes a third of the cases, since a page takes a fifth of a second and all lists share the code
    turn = [each.values[0] for each in LISTS].index(address)
    for name, value in NONSENSE[turn % 3 :: 3]:
        assert root.get(address, {name: value}).status_code < 500, (name, value)


@pytest.mark.parametrize(("address", "model_admin"), LISTS)
def test_a_key_that_is_none_is_no_fault_of_the_server(address: str, model_admin: Any, root: Client) -> None:
    for key in ("9" * 30, "-1", "1_0", "\x00"):
        for part in ("change", "history", "history/1", f"history/{'9' * 30}"):
            assert root.get(f"{address}{quote(key)}/{part}/").status_code < 500, (key, part)


def test_a_search_for_nothing_that_can_be_found_shows_no_rows_and_says_why(world: World, root: Client) -> None:
    for text, says in (("acme\x00", "Null characters"), ("\x00", "Null characters"), ('""', "nothing to search for")):
        page = root.get(list_of(BillingAccount), {"q": text})
        assert (page.context["cl"].result_count, says in page.content.decode()) == (0, True), text
        assert "Nothing here yet" not in page.content.decode()
    for blank in ("", "  "):
        assert root.get(list_of(BillingAccount), {"q": blank}).context["cl"].result_count == 2
    grant = page_of(world.organization, "grant")
    assert root.get(grant, {"search": "user", "term": "\x00"}).json()["results"] == []


@pytest.mark.parametrize(("address", "model_admin"), LISTS)
def test_a_search_of_more_words_than_anybody_types_finds_nothing(address: str, model_admin: Any, root: Client) -> None:
    if not model_admin.search_fields:
        return
    page = root.get(address, {"q": "a " * 800})
    assert page.status_code == 200
    assert page.context["cl"].result_count == 0
    assert "20" in page.content.decode().split("Search for at most ")[1][:10]


def test_a_search_of_another_page_leaves_no_message_for_the_next(root: Client) -> None:
    asked = {"app_label": "billing", "model_name": "charge", "field_name": "account", "term": "a " * 21}
    for text in ("a " * 21, '""', "a\x00"):
        assert root.get("/admin/autocomplete/", {**asked, "term": text}).status_code in (200, 403)
        root.post(f"{list_of(BillingAccount, 'export')}?{urlencode({'q': text})}", {"resource": "0", "format": "0"})
        assert not list(root.get(list_of(BillingAccount)).context["messages"]), text
