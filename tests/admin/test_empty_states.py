"""An empty list or table says how its first row comes about; one that is filtered, how to see the others."""

from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.test import Client

from billing.models import Hold
from milo.admin.read_only import ReadOnlyAdmin
from milo.admin.users import UserAdmin
from tests.admin.browser import list_of, page_of
from tests.admin.conftest import World

pytestmark = pytest.mark.once

WORDS = {
    "en": ("No account was opened yet", "No usage was received"),
    "de": ("Noch wurde kein Konto eröffnet", "Keine Nutzung"),
}
SHOWN = {model: page for model, page in admin.site._registry.items() if isinstance(page, ReadOnlyAdmin | UserAdmin)}


def test_every_list_has_its_words() -> None:
    assert {model.__name__ for model, page in SHOWN.items() if not page.nothing_yet} == set()


def test_an_empty_list_says_how_the_first_comes_about_and_a_filtered_one_how_to_see_all(
    world: World, auditor: Client
) -> None:
    page = auditor.get(list_of(Hold)).content.decode()
    assert "A hold is set by a button on the page of its account." in page
    assert "Reset filters" not in page
    page = auditor.get(f"{list_of(Hold)}?{urlencode({'q': 'nobody'})}").content.decode()
    assert "No results found" in page
    assert "Reset filters" in page


@pytest.mark.parametrize("language", WORDS)
def test_an_empty_chart_says_so_in_the_language_of_the_person(language: str, operator: Client) -> None:
    operator.cookies["django_language"] = language
    page = operator.get("/admin/").content.decode()
    assert "No data" not in page
    assert "<canvas" not in page
    for said in WORDS[language]:
        assert said in page


def test_an_empty_table_says_the_same_as_the_list(world: World, auditor: Client) -> None:
    page = auditor.get(page_of(world.eu), {"tab": "charges"}).content.decode()
    assert "Charges are reported by the invoicing system through the API." in page
    ledger = auditor.get("/admin/identity/login/ledger/", {"person": "nobody"}).content.decode()
    assert "Nothing matches: change what is chosen above." in ledger
    for shown in (page, ledger):
        assert "No data" not in shown
