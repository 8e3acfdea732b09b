"""Filters of a list are saved by name for a person, shown above the list, deleted, and shared as the address."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.models import BillingAccount, Charge
from milo.admin import saved_filters
from milo.identity.models import SavedFilter
from tests.admin.browser import list_of, superuser
from tests.admin.conftest import World

SAVE = "/admin/filters/"
QUERY = "currency_code=EUR&q=acme"


def saved(client: Client, model: Any = BillingAccount, query: str = "") -> dict[str, str]:
    page = client.get(f"{list_of(model)}?{query}")
    return {name: address for _key, name, address, _on in page.context["filters"]["saved"]}


def save(client: Client, name: str = "euro", query: str = QUERY, page: str = "billing.billingaccount") -> Any:
    return client.post(SAVE, {"page": page, "name": name, "query": query}, follow=True)


def test_a_filter_is_saved_opened_and_deleted_by_its_person(world: World, operator: Client, approver: Client) -> None:
    assert operator.get(list_of(BillingAccount)).context["filters"]["new"] == ""
    offered = operator.get(f"{list_of(BillingAccount)}?{QUERY}&p=place").context["filters"]["new"]
    assert offered == QUERY
    page = save(operator, query=offered)
    assert page.redirect_chain[-1][0] == f"{list_of(BillingAccount)}?{QUERY}"
    assert page.context["filters"]["new"] == ""
    address = saved(operator)["euro"]
    assert [row.name for row in operator.get(address).context["cl"].result_list] == ["acme-eu"]
    # the address works for everybody; the name is of one person and one list
    assert [row.name for row in approver.get(address).context["cl"].result_list] == ["acme-eu"]
    assert saved(approver) == saved(operator, Charge) == {}
    row = SavedFilter.objects.get()
    assert approver.post(SAVE, {"page": row.page, "delete": row.pk}).status_code == 404
    assert operator.post(SAVE, {"page": "billing.charge", "delete": row.pk}).status_code == 404
    assert SavedFilter.objects.count() == 1
    assert f'name="delete" value="{row.pk}"' in operator.get(address).content.decode()
    operator.post(SAVE, {"page": row.page, "delete": row.pk})
    assert not SavedFilter.objects.exists()


def test_a_filter_of_users_is_saved_too_and_by_those_alone_who_see_them(world: World, operator: Client) -> None:
    root = superuser()
    page = save(root, "staff", "is_staff__exact=1&q=", "auth.user")
    assert page.redirect_chain[-1][0] == f"{list_of(User)}?is_staff__exact=1"
    assert saved(root, User) == {"staff": f"{list_of(User)}?is_staff__exact=1"}
    assert "staff</a>" in page.content.decode()
    assert save(operator, "staff", "is_staff__exact=1", "auth.user").status_code == 403
    row = SavedFilter.objects.get()
    root.post(SAVE, {"page": row.page, "delete": row.pk})
    assert saved(root, User) == {}


def test_a_span_of_days_is_saved_without_what_was_left_blank(world: World, operator: Client) -> None:
    page = operator.get(f"{list_of(BillingAccount)}?created_at_from=2026-01-31&created_at_to=&q=&opened=")
    assert page.context["filters"]["new"] == "created_at_from=2026-01-31"
    assert operator.get(f"{list_of(BillingAccount)}?created_at_from=&q=").context["filters"]["new"] == ""


def test_what_is_no_filter_is_refused_with_the_reason(
    world: World, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {
        "needs a name": {"name": " "},
        "something to filter by": {"query": "p=place"},
        "nothing that can be seen": {"name": "\u202e\u200d \ufe0f"},
        "too long": {"name": "x" * 61},
        "looks like a card number": {"query": "q=4111+1111+1111+1111"},
        "is too long": {"query": f"q={'x' * 2000}"},
    }
    for said, typed in refused.items():
        assert said in save(operator, **typed).content.decode(), said
    assert not SavedFilter.objects.exists()
    save(operator)
    assert "of this name already" in save(operator, query="q=other").content.decode()
    monkeypatch.setattr(saved_filters, "MOST", 1)
    assert "at most 1 saved filters" in save(operator, "second", "q=other").content.decode()
    assert SavedFilter.objects.get().query == QUERY


def test_nobody_saves_a_filter_of_a_list_that_is_not_theirs(world: World, operator: Client) -> None:
    assert save(operator, page="identity.login").status_code == 403
    assert save(operator, page="auth.permission").status_code == 404
    for key in ("x", "9" * 30, "-1"):
        assert operator.post(SAVE, {"page": "billing.charge", "delete": key}).status_code == 404
    assert not SavedFilter.objects.exists()
