"""What lists read of tables that are long for a page: each page, search, filter and order, on PostgreSQL."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.db.models import Model
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import resolve

from benchmarks.console_pages import LISTS, PERSON, address, choices, pages
from benchmarks.console_rows import fill
from milo.admin import estimates, keysets, word_searches
from tests.support.database import as_owner

ROWS, COUNTED = 2_000, 100
# a statement finds what a list counts, with a row to tell more, from each of two indexes, or reads a page
READ = 3 * COUNTED
# what the planner reckons with anyway where a table is long
AS_IF_LONG = ("enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off", "random_page_cost = 1")


def test_every_list_of_the_staff_site_is_in_the_benchmark() -> None:
    assert {listed.model for listed in LISTS} == set(admin.site._registry)


@pytest.mark.django_db
def test_no_page_search_filter_or_order_reads_a_whole_table(
    monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """The rows that each part of a statement reads are counted, by `EXPLAIN ANALYZE`.

    Where an index serves the statement it is taken; without one, all rows of a table are read.
    """
    if connection.vendor != "postgresql":
        assert LISTS
        return
    # beyond those that are filled in, whoever was created before
    person = User.objects.create_superuser(PERSON, id=1_000_000)
    with as_owner():
        fill(ROWS)
    for module, name in ((keysets, "MOST_COUNTED"), (word_searches, "SHORT"), (word_searches, "MOST")):
        monkeypatch.setattr(module, name, COUNTED)
    monkeypatch.setattr(estimates, "of_tables", lambda: {each.model._meta.db_table: ROWS for each in LISTS})
    with connection.cursor() as cursor:
        cursor.execute("".join(f"SET LOCAL {setting};" for setting in AS_IF_LONG))
    for listed in LISTS:
        for kind, query in (pages(listed) | choices(listed.model)).items():
            with subtests.test(f"{listed.model.__name__} {kind}"):
                read = {sql: most_read(sql) for sql in sent(person, address(listed.model, query), listed.model)}
                assert read
                too_many = {sql: rows for sql, rows in read.items() if rows > READ}
                assert not too_many


def sent(person: User, where: str, model: type[Model]) -> list[str]:
    """The queries of the rows of a page."""
    request: Any = RequestFactory().get(where)
    request.user, request.session, request.resolver_match = person, SessionStore(), resolve(request.path)
    request._messages = FallbackStorage(request)
    with CaptureQueriesContext(connection) as queries:
        list(admin.site.get_model_admin(model).get_changelist_instance(request).result_list)
    return [query["sql"] for query in queries if query["sql"].lstrip("(").startswith("SELECT")]


def most_read(sql: str) -> int:
    """How many rows one scan of a statement reads at a time."""
    with connection.cursor() as cursor:
        cursor.cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {sql}")
        (found,) = cursor.fetchone()
    plans = found if isinstance(found, list) else json.loads(found)
    return max((rows_of(node) for node in nodes(plans[0]["Plan"])), default=0)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def rows_of(node: dict[str, Any]) -> int:
    return int(node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) if "Scan" in node["Node Type"] else 0
