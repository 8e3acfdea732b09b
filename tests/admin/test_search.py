"""Search on the staff site finds names regardless of case, in any script, on both engines."""

import pytest
from django.contrib.admin import site
from django.db import connection
from django.db.models import F, Model
from django.http import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from billing.models import BillingAccount, BillingAccountBinding, Notice
from milo.admin import searches
from milo.letter_case import like
from tests.admin.browser import list_of, staff
from tests.support import make

pytestmark = pytest.mark.django_db
NAMES = {
    "Österreich GmbH": ["österreich", "ÖSTERREICH", "ÖSTERREICH gmbh", "reich"],
    "Ελληνική Εταιρεία": ["ελληνική", "ΕΤΑΙΡΕΊΑ"],
    "Москва": ["москва", "МОСКВА", "оскв"],  # noqa: RUF001
    "Straße 5 100%": ["straße", "STRAßE", "100%", "strasse", "STRASSE", "STRA\u1e9eE", "asse"],
    "GRÖSSE & Maß": ["Größe", "größe maß", "MASS"],
    "Geschäftsstraße GmbH": ["GESCHÄFTSSTRASSE", "geschäftsstrasse", "Geschäftsstraße", "GESCHÄFTSSTRA\u1e9eE"],
    "Schlossstraße 5 AG": ["Schlossstrasse", "SCHLOSSSTRASSE 5", "Schloßstraße"],
    "Schlossmessstraßenfußmaß": ["SCHLOSSMESSSTRASSENFUSSMASS", "schloßmeßstrassenfußmaß"],
    "Łódź_Š": ["ŁÓDŹ", "łódź_š"],
}
OTHERS = ["osterreich", "strase", "1000", "Łódźx"]


@pytest.mark.parametrize(("name", "searches"), NAMES.items())
def test_an_account_is_found_by_its_name_in_any_case(name: str, searches: list[str]) -> None:
    make.a_ready_account(make.an_organization(), "us", display_name=name)
    make.a_ready_account(make.an_organization(), "eu", display_name="Nobody")
    for search in searches:
        page = staff("auditor").get(list_of(BillingAccount), {"q": search})
        assert [row.display_name for row in page.context["cl"].result_list] == [name], search


@pytest.mark.parametrize("search", OTHERS)
def test_other_letters_are_other_names(search: str) -> None:
    for number, name in enumerate(NAMES):
        make.a_ready_account(make.an_organization(), f"a{number}", display_name=name)
    page = staff("auditor").get(list_of(BillingAccount), {"q": search})
    assert list(page.context["cl"].result_list) == []


def test_each_lookup_that_ignores_case_does_for_every_letter() -> None:
    account = make.a_ready_account(make.an_organization(), "us", display_name="Österreich")
    for lookup in ("icontains", "iexact", "istartswith", "iendswith"):
        assert BillingAccount.objects.filter(**{f"display_name__{lookup}": "öSTERREICH"}).get() == account
    assert BillingAccount.objects.filter(display_name__icontains=F("display_name")).get() == account


@given(st.text("aA%_\\\n.*äÄ"), st.text("aA%_\\\n.*"))
def test_letters_of_ascii_match_as_they_always_did(text: str, pattern: str) -> None:
    # as Django escapes what somebody searches for
    pattern = pattern.replace("\\", "\\\\")
    with connection.cursor() as cursor:
        # two operands are left to SQLite, which knows no escape then
        if "\\" not in pattern:
            upper = "{0} LIKE {0}".format("upper(%s::text)" if connection.vendor == "postgresql" else "%s")
            cursor.execute(f"SELECT {upper}", [text, pattern])
            assert cursor.fetchone() == (like(pattern, text, "\\"),)


def test_null_is_like_nothing() -> None:
    assert (like(None, "x", "\\"), like("x", None, "\\")) == (None, None)


def found(model: type[Model], search: str) -> list[str]:
    page = staff("auditor").get(list_of(model), {"q": search})
    return [str(row) for row in page.context["cl"].result_list]


def test_a_binding_is_found_by_its_names_in_any_case_and_by_the_beginning_of_its_uid() -> None:
    organization = make.an_organization("acme-corp")
    project, account = make.a_project(organization, "webapp-frontend"), make.a_ready_account(organization, "us-east")
    binding = make.a_binding(project, account)
    make.a_binding(make.a_project(organization, "pipeline"), make.a_ready_account(organization, "eu"))
    uid = str(binding.uid)
    for search in (
        "FRONT",
        "us-EAST",
        binding.name[2:],
        '"webapp-front"',
        "webapp us-e",
        uid,
        uid[:13],
        uid[:8].upper(),
    ):
        assert found(BillingAccountBinding, search) == [binding.name], search
    for search in ("webapp eu", "nowhere", uid[:7] + ("0" if uid[7] != "0" else "1"), "-" * 8, "0" * 40, "%"):
        assert found(BillingAccountBinding, search) == [], search


def test_a_search_joins_no_table_and_folds_no_name_of_a_resource() -> None:
    binding = BillingAccountBinding.objects.filter(
        searches.condition(BillingAccountBinding, ("name", "project__name", "account__name", "uid"), "Front")
    )
    query = str(binding.query)
    assert "JOIN" not in query
    assert "UPPER" not in query


@pytest.mark.parametrize("name", ["binding_newest_first", "notice_newest_first"])
def test_a_list_of_many_rows_has_an_index_in_its_order(name: str) -> None:
    model, order = {
        "binding_newest_first": (BillingAccountBinding, ("-established_at", "-id")),
        "notice_newest_first": (Notice, ("-created_at", "-id")),
    }[name]
    ordering = site.get_model_admin(model).get_ordering(HttpRequest())
    shown = model._default_manager.order_by(*ordering, "-pk")[:50]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert name in shown.explain()
    (index,) = (index for index in model._meta.indexes if index.name == name)
    assert tuple(index.fields) == order
