"""Searches of lists that are too long for looking inside of words: rows are found by how words begin."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from billing.models import BillingAccount, BillingAccountBinding, Charge
from milo.admin import estimates, word_searches
from milo.word_indexes import HasWords, word_index
from projects.models import Membership, Organization, Project
from tests.admin.browser import list_of, staff, superuser
from tests.admin.conftest import World
from tests.admin.test_list_pages import bounded
from tests.support import make

pytestmark = pytest.mark.django_db
INDEXED = [model for model in admin.site._registry if word_index(model)]


@pytest.fixture
def long_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_searches, "SHORT", 0)
    with_long_tables(monkeypatch)


def with_long_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = dict.fromkeys(connection.introspection.table_names(), 1_000_000)
    monkeypatch.setattr(estimates, "of_tables", lambda: tables)


def found(model: type[Model], search: str, role: str = "auditor", **filters: Any) -> list[str]:
    page = staff(role).get(list_of(model), {"q": search, **filters})
    return [row.name for row in page.context["cl"].result_list]


def on(postgresql: Sequence[str], sqlite: Sequence[str]) -> list[str]:
    """What each engine finds: SQLite has no index of words."""
    return sorted(postgresql if connection.vendor == "postgresql" else sqlite)


def test_rows_of_a_long_list_are_found_by_how_words_begin(long_lists: None) -> None:
    organization = make.an_organization("acme-corp")
    make.a_ready_account(
        organization,
        "us-east",
        display_name="Österreich Größen GmbH Schlossstraße",
        invoice_email_addresses=["billing@payer.example"],
    )
    make.a_ready_account(organization, "eu-west", display_name="Other")
    for search in (
        "us-east",
        "EAST",
        "öster",
        "gmbh öst",
        "GRÖSSE",
        "SCHLOSSSTRASSE",
        '"us-e"',
        "us-",
        "billing@payer.example",
    ):
        assert found(BillingAccount, search) == ["us-east"], search
    # a part of an address finds nothing for whoever reads masks
    assert found(BillingAccount, "billing@payer.ex", "finance-operator") == ["us-east"]
    assert found(BillingAccount, "billing@payer.ex") == []
    assert sorted(found(BillingAccount, "acme-c")) == ["eu-west", "us-east"]
    assert found(BillingAccount, "acme other") == ["eu-west"]
    uid = str(BillingAccount.objects.get(name="us-east").uid)
    assert found(BillingAccount, uid[:8]) == ["us-east"]
    assert found(BillingAccount, "ast") == on([], ["us-east"])
    assert found(BillingAccount, "payer.example", "finance-operator") == on(["us-east"], [])
    assert found(BillingAccount, "us-east:*") == on(["us-east"], [])
    # what stands before a sign is a whole word
    for search in ("nowhere", "gmbh other", "%", "a & b", "\\", "bill@payer", "u-east"):
        assert found(BillingAccount, search) == [], search


def test_a_number_typed_in_groups_is_found_in_a_long_list(long_lists: None) -> None:
    profile = {"creditCard": {"cardReference": "AB123456"}}
    make.a_ready_account(make.an_organization(), "us", payment_profile=profile)
    for search in ("AB123456", "AB 123 456", "ab-123.456", "AB1"):
        assert found(BillingAccount, search) == ["us"], search


def test_rows_of_a_long_list_are_found_by_what_they_belong_to(long_lists: None) -> None:
    organization = make.an_organization("acme-corp")
    account = make.a_ready_account(organization, "us-east")
    for name in ("webapp-frontend", "pipeline"):
        make.a_binding(make.a_project(organization, name), account, f"of-{name}")
    assert found(BillingAccountBinding, "front") == ["of-webapp-frontend"]
    assert sorted(found(BillingAccountBinding, "us-east")) == ["of-pipeline", "of-webapp-frontend"]
    assert found(BillingAccountBinding, "us-east pipe") == ["of-pipeline"]
    assert found(BillingAccountBinding, "us-east", phase__exact="Ended") == []


def test_a_long_list_says_how_it_is_searched_and_a_short_one_looks_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    organization = make.an_organization("acme-corp")
    for number in range(3):
        make.a_project(organization, f"web-{number}")
    monkeypatch.setattr(word_searches, "SHORT", 2)
    with_long_tables(monkeypatch)
    told = "words are found by how they begin"
    page = staff("auditor").get(list_of(Project), {"q": "eb"})
    assert (told in page.text) == (connection.vendor == "postgresql")
    Project.objects.filter(name="web-0").update(phase="Archived")
    narrowed = staff("auditor").get(list_of(Project), {"q": "eb", "phase__exact": "Active"})
    assert told not in narrowed.text
    assert sorted(row.name for row in narrowed.context["cl"].result_list) == ["web-1", "web-2"]


def test_an_export_has_every_row_that_a_long_list_finds(long_lists: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_searches, "MOST", 2)
    organization = make.an_organization("acme-corp")
    for number in range(4):
        make.a_project(organization, f"web-{number}")
    client = staff("auditor")
    shown = client.get(list_of(Project), {"q": "web"}).context["cl"].result_list
    assert len(shown) == (2 if connection.vendor == "postgresql" else 4)
    export: Any = client.post(f"{list_of(Project, 'export')}?q=web", {"format": "0"})
    assert b"".join(export.streaming_content).count(b"web-") == 4


@pytest.mark.usefixtures("life")
def test_a_search_of_a_long_list_takes_few_queries_that_are_bounded(long_lists: None) -> None:
    client = superuser()
    for model in admin.site._registry:
        bounded(client, f"{list_of(model)}?q=a+b1")


def test_rows_of_a_long_list_are_found_by_the_person_they_are_of(long_lists: None, world: World) -> None:
    page = superuser().get(list_of(Membership), {"q": "acme-ad"})
    assert {row.user.username for row in page.context["cl"].result_list} == {"acme-admin"}
    assert superuser().get(list_of(Membership), {"q": "nobody"}).context["cl"].result_count == 0


def test_users_of_a_long_list_are_found_by_words_of_their_names_and_addresses(long_lists: None) -> None:
    make.a_person("ann-smith", email="ann@acme.example")
    make.a_person("bob", first_name="Joann")
    for search, names in {
        "smith": {"ann-smith"},
        "ann@acme": {"ann-smith"},
        "bob joa": {"bob"},
        "ann": {"ann-smith"} if connection.vendor == "postgresql" else {"ann-smith", "bob"},
        "an@acme": set(),
    }.items():
        page = superuser().get(list_of(User), {"q": search})
        assert {row.username for row in page.context["cl"].result_list} == names, search


def test_a_number_among_words_is_looked_for_first(long_lists: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_searches, "MOST", 2)
    organization = make.an_organization("customers")
    for number in range(4):
        make.a_project(organization, f"p-{number}")
    assert found(Project, "customers 3") == ["p-3"]


@pytest.mark.parametrize("model", INDEXED, ids=lambda model: model.__name__)
def test_words_are_found_by_the_index(model: type[Model]) -> None:
    index = word_index(model)
    assert index
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert index.name in model._base_manager.filter(HasWords(index.words, ["acme"])).values("pk").explain()


def test_how_long_tables_are_is_asked_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "postgresql":
        assert not word_searches.applies(Project.objects.all(), ["name"])
        return
    monkeypatch.setattr(estimates, "_known_at", None)
    with CaptureQueriesContext(connection) as queries:
        for _time in range(2):
            assert estimates.of_tables()[Project._meta.db_table] <= word_searches.SHORT
            assert not word_searches.applies(Project.objects.all(), ["name"])
    assert len(queries) == 1


def test_lists_and_counts_are_planned_for_the_values_of_their_filters() -> None:
    auditor = staff("auditor")
    for _time in range(7):
        auditor.get(list_of(BillingAccount), {"phase__exact": "Ready"})
        auditor.get("/admin/")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%%\"phase\" = $%%'")
            assert cursor.fetchall() == []
            cursor.execute("SELECT count(*) FROM pg_prepared_statements")
            assert cursor.fetchone() != (0,)


def test_the_lists_of_many_rows_have_indexes_of_words() -> None:
    assert {BillingAccount, BillingAccountBinding, Charge, Organization, Project} <= set(INDEXED)
