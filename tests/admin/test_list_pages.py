"""Pages of every list: few queries, neither a full count nor an offset, and each row once, in every order."""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.db.models import Model
from django.http import QueryDict
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import BillingAccount
from milo.admin import keysets
from milo.admin.related_filters import RelatedFilter
from projects.models import Project
from tests.admin.browser import browser, list_of, superuser
from tests.admin.conftest import World
from tests.support import make

MOST_QUERIES = 10
REGISTERED = list(admin.site._registry)
pytestmark = pytest.mark.usefixtures("life")


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for model_admin in admin.site._registry.values():
        monkeypatch.setattr(model_admin, "list_per_page", 2)


@pytest.fixture
def three_of_each(world: World) -> None:
    """Users, projects and bindings beyond two; other lists have as many as they have."""
    for number in range(3):
        project = make.a_project(world.organization, f"more-{number}")
        make.a_binding(project, world.eu)
        make.a_person(f"person-{number}", roles={world.organization: "billing-viewer"})


def fault(sql: str) -> str:
    """Why a query would read a whole table; "" if it would not."""
    if " OFFSET " in sql:
        return "an offset"
    # a filter of a list may count within the bound of a subquery
    return "a count" if re.search(r"\bCOUNT\(", sql) and "LIMIT" not in sql and "GROUP BY" not in sql else ""


def bounded(client: Client, address: str) -> Any:
    """Open a list, and make sure of its queries."""
    with CaptureQueriesContext(connection) as queries:
        page = client.get(address)
    assert page.status_code == 200, address
    sent = [query["sql"] for query in queries]
    assert not [(fault(sql), sql) for sql in sent if fault(sql)], address
    assert len(sent) <= MOST_QUERIES, (address, len(sent), sent)
    return page


def test_every_list_takes_few_queries_that_are_bounded(small_pages: None, three_of_each: None) -> None:
    person = make.a_person(is_staff=True, is_superuser=True)
    for model in REGISTERED:
        # a session that is a minute old is written, which is not the list's doing
        client = browser(person)
        page = bounded(client, list_of(model))
        bounded(client, f"{list_of(model)}?q=a")
        bounded(client, f"{list_of(model)}?_facets=1")
        if following := page.context["cl"].next_page:
            bounded(client, list_of(model) + following)


def test_a_filter_by_a_row_of_another_table_takes_as_few(three_of_each: None) -> None:
    filtered = set()
    person = make.a_person(is_staff=True, is_superuser=True)
    for model in REGISTERED:
        filters: list[Any] = [item for item in admin.site.get_model_admin(model).list_filter if isinstance(item, tuple)]
        for path in [path for path, kind in filters if kind is RelatedFilter]:
            key = model._base_manager.values_list(path, flat=True).exclude(**{path: None}).first()
            if key is None:
                continue
            page = bounded(browser(person), f"{list_of(model)}?{path}__id__exact={key}")
            assert page.context["cl"].result_count, (model, path)
            chosen = rf'<option value="{key}"[^>]* selected[^>]*>\s*[^\s<]'
            assert re.search(chosen, page.text), (model, path)
            filtered.add(path)
    empty = browser(person).get(f"{list_of(Project)}?organization__id__exact=999999").context["cl"]
    assert empty.result_count == 0
    assert filtered >= {"organization", "account", "project", "change", "account__organization"}


def columns(model: type[Model]) -> Iterator[int]:
    model_admin: Any = admin.site.get_model_admin(model)
    for number, name in enumerate(model_admin.list_display):
        if (
            name == "__str__"
            or name in {field.name for field in model._meta.fields}
            or getattr(getattr(model_admin, name, None), "admin_order_field", None)
        ):
            yield number


def walk(person: User, model: type[Model], start: str, step: str) -> tuple[list[list[Any]], str]:
    """The keys on each page from the query `start` on, and the query of the last."""
    model_admin: Any = admin.site.get_model_admin(model)
    pages, query = [], start
    while True:
        request = RequestFactory().get(f"{list_of(model)}{query}")
        request.user, request.session = person, SessionStore()
        page = model_admin.get_changelist_instance(request)
        pages.append([row.pk for row in page.result_list])
        following = getattr(page, step)
        if not following:
            return pages, query
        query = following


def test_each_row_is_on_one_page_in_every_order_and_there_is_a_way_back(
    small_pages: None, three_of_each: None, subtests: pytest.Subtests
) -> None:
    person = make.a_person(is_staff=True, is_superuser=True)
    for model in REGISTERED:
        orders = ["", *(f"?{ORDER_VAR}={sign}{number}" for number in columns(model) for sign in ("", "-"))]
        everything = sorted(model._default_manager.values_list("pk", flat=True))
        for order in orders:
            with subtests.test(f"{model.__name__} {order}"):
                forth, last = walk(person, model, order, "next_page")
                assert sorted(chain.from_iterable(forth)) == everything
                assert all(len(page) == 2 for page in forth[:-1])
                back, _first = walk(person, model, last, "previous_page")
                before = list(chain.from_iterable(forth[:-1]))
                assert list(chain.from_iterable(reversed(back)))[: len(before)] == before


def test_a_page_keeps_filter_search_and_order(small_pages: None, three_of_each: None, world: World) -> None:
    client = superuser()
    asked = f"q=more&organization__id__exact={world.organization.pk}&{ORDER_VAR}=-1"
    first = client.get(f"{list_of(Project)}?{asked}")
    following = QueryDict(first.context["cl"].next_page.removeprefix("?"))
    assert {name: following[name] for name in ("q", "organization__id__exact", ORDER_VAR)} == QueryDict(asked).dict()
    second = client.get(f"{list_of(Project)}?{following.urlencode()}")
    shown = [[row.name for row in page.context["cl"].result_list] for page in (first, second)]
    assert shown == [["more-2", "more-1"], ["more-0"]]
    assert second.context["cl"].next_page == ""
    # another order begins with the first page
    assert f"{PAGE_VAR}=" not in second.context["cl"].get_query_string({ORDER_VAR: "1"})


@pytest.mark.once
@pytest.mark.parametrize("place", ["2", "nowhere", "gAAAAAB" + "A" * 93], ids=["a number", "a word", "another key"])
def test_a_place_that_is_not_known_is_the_first_page(place: str, three_of_each: None) -> None:
    client = superuser()
    first = client.get(list_of(Project)).context["cl"].result_list
    assert client.get(list_of(Project), {PAGE_VAR: place}).context["cl"].result_list == first


@pytest.mark.once
def test_a_place_of_another_list_is_the_first_page(small_pages: None, three_of_each: None) -> None:
    client = superuser()
    place = client.get(list_of(User)).context["cl"].next_page
    page = client.get(list_of(Project) + place).context["cl"]
    assert page.result_list == client.get(list_of(Project)).context["cl"].result_list


def test_more_rows_than_are_counted_are_sorted_by_an_index_only(
    monkeypatch: pytest.MonkeyPatch, three_of_each: None
) -> None:
    client = superuser()
    before = client.get(list_of(Project), {ORDER_VAR: "2"}).context["cl"]
    assert before.queryset.query.order_by[0] == "display_name"
    monkeypatch.setattr(keysets, "MOST_COUNTED", 2)
    answer = client.get(list_of(Project), {ORDER_VAR: "2"})
    page = answer.context["cl"]
    assert page.queryset.query.order_by == ("name",)
    assert [getattr(each, "__name__", each) for each in page.sortable_by] == ["name", "phase_badge"]
    assert page.result_count == 3
    backward = client.get(list_of(Project), {ORDER_VAR: "-1"}).context["cl"]
    assert [row.name for row in backward.result_list] == sorted(Project.objects.values_list("name", flat=True))[::-1]


def test_more_accounts_of_a_span_than_are_counted_are_in_the_order_of_the_span(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    """In the order of names, all accounts outside of the span could be read before the first inside."""
    client = superuser()
    monkeypatch.setattr(keysets, "MOST_COUNTED", 1)
    BillingAccount.objects.update(phase_since=timezone.now() - timedelta(days=8))
    for asked, order in (
        ({"created_at_from": "2020-01-01"}, ("-created_at", "-pk")),
        ({"opened": "7"}, ("-created_at", "-pk")),
        ({"inPhaseFor": "7"}, ("phase_since", "pk")),
        ({"inPhaseFor": "7", ORDER_VAR: "0"}, ("name", "pk")),
        ({"phase__exact": "Ready"}, ("name", "pk")),
    ):
        page = client.get(list_of(BillingAccount), asked).context["cl"]
        assert tuple(page.queryset.query.order_by) == order, asked
        assert page.result_count == 2
