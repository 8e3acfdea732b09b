"""Search on the staff site finds names regardless of case, in any script, on both engines."""

import pytest
from django.db import connection
from django.db.models import F
from hypothesis import given
from hypothesis import strategies as st

from billing.models import BillingAccount
from milo.letter_case import like
from tests.admin.browser import list_of, staff
from tests.support import make

pytestmark = pytest.mark.django_db
NAMES = {
    "Österreich GmbH": ["österreich", "ÖSTERREICH", "ÖSTERREICH gmbh", "reich"],
    "Ελληνική Εταιρεία": ["ελληνική", "ΕΤΑΙΡΕΊΑ"],
    "Москва": ["москва", "МОСКВА", "оскв"],  # noqa: RUF001
    "Straße 5 100%": ["straße", "STRAßE", "100%"],
    "Łódź_Š": ["ŁÓDŹ", "łódź_š"],
}
OTHERS = ["osterreich", "strasse", "1000", "Łódźx"]


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
