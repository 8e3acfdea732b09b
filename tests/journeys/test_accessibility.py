"""No page of the staff site keeps anybody out: WCAG 2.2, A and AA, by axe-core, and what axe-core does not see.

Each page is looked at in one combination of colors, language and width, in turns. With EVERY_COMBINATION=1 (`make
accessibility`) each is looked at in all of them.
"""

import os
import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from tests.admin.browser import every_act, every_page, page_of
from tests.admin.conftest import Life, World, life, world
from tests.journeys.axe import cut, faults
from tests.journeys.hands import type_into_palette
from tests.support import make

__all__ = ["life", "world"]

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.xdist_group("journeys")]
# Arabic is not offered: it stands for any language that is written from right to left
LANGUAGES = ("en", "de", "ar")
COMBINATIONS = list(product(("light", "dark"), LANGUAGES, (1440, 390)))
# what one of them shows of colors and of widths, the other does not
OPENED = [("dark", 1440), ("light", 390)]
EVERY = bool(os.environ.get("EVERY_COMBINATION"))
# combinations share the pages, or each looks at all of them
SHARING = [[it] for it in COMBINATIONS] if EVERY else [COMBINATIONS]
OWN = ["/admin/sessions/", "/admin/own-token/", "/admin/password_change/", "/admin/second-factor/"]
FRAGMENTS = ("/search/", "/below/")
OBJECT = re.compile(r"/[0-9]+/[^/]+/")
Open = Callable[..., Page]


@pytest.fixture
def opened(address: str, browser: Browser, transactional_db: None, settings: Any) -> Iterator[Open]:
    """Opens browsers in which a person who may do everything is logged in."""
    settings.LANGUAGES = [(code, code) for code in LANGUAGES]
    client = Client()
    client.force_login(make.a_person("root", is_staff=True, is_superuser=True))
    contexts = []

    def an_opened(scheme: Any, language: str, width: int) -> Page:
        context = browser.new_context(
            base_url=address,
            ignore_https_errors=True,
            color_scheme=scheme,
            # colors of what fades in are none
            reduced_motion="reduce",
            locale=language,
            viewport={"width": width, "height": 900},
        )
        contexts.append(context)
        context.add_cookies([{"name": it.key, "value": it.value, "url": address} for it in client.cookies.values()])
        return context.new_page()

    yield an_opened
    for context in contexts:
        context.close()


@pytest.mark.parametrize("sharing", SHARING, ids=lambda sharing: "-".join(map(str, sharing[0])) if EVERY else "all")
def test_no_page_keeps_anybody_out(sharing: list[Any], opened: Open, world: World, life: Life) -> None:
    read = [path for path in every_page() if "?q=" not in path and not any(part in path for part in FRAGMENTS)]
    paths = [*read, *every_act(), *OWN]
    found = []
    for number, combination in enumerate(sharing):
        page = opened(*combination)
        for path in paths[number :: len(sharing)]:
            page.goto(path)
            found += [f"{path} {combination}: {it}" for it in [*faults(page), *cut(page), *nameless(page)]]
    assert found == [], "\n".join(found)


def nameless(page: Page) -> Iterator[str]:
    """Yield what a page lacks to tell somebody who hears it where they are."""
    if page.locator("main").count() != 1 or page.locator("h1").count() != 1:
        yield f"one main part and one first heading are expected: {page.title()}"
    name = page.locator("h1 > :last-child").last.inner_text()
    if OBJECT.search(page.url) and name not in page.title():
        yield f"{name} is not in the title {page.title()}"


@pytest.mark.parametrize(("scheme", "width"), list(product(("light", "dark"), (1440, 390))) if EVERY else OPENED)
def test_nothing_that_opens_keeps_anybody_out(scheme: str, width: int, opened: Open, world: World, life: Life) -> None:
    page = opened(scheme, "en", width)
    found: list[str] = []

    def look(state: str) -> None:
        found.extend(f"{state}: {it}" for it in faults(page))

    page.goto("/admin/")
    page.locator("summary").first.click()
    look("a chart as a table")
    if width < 1280:
        page.get_by_role("button", name="Side bar").click()
    page.get_by_role("button", name="root").click()
    look("the menu of the person")
    page.keyboard.press("Escape")
    if width < 1280:
        # closed with what was open in it
        page.get_by_role("button", name="Side bar").click()
    page.get_by_role("button", name="Search everything").click()
    type_into_palette(page, "acme")
    expect(page.locator("#command-results-list")).to_be_visible()
    look("the palette")
    page.goto("/admin/billing/billingaccount/")
    page.get_by_role("button", name="Filters", exact=True).click()
    look("filters")
    page.get_by_role("combobox").first.click()
    expect(page.locator(".select2-results__option").first).to_be_visible()
    look("a box of a filter")
    page.goto(page_of(world.eu))
    if width < 1024:
        page.get_by_role("link", name="Actions").click()
    page.get_by_role("button", name="Request approval").click()
    look("a menu of actions")
    page.goto(page_of(world.project, "bind"))
    page.get_by_role("combobox").first.click()
    expect(page.locator(".select2-results__option").first).to_be_visible()
    look("a box of a form")
    assert found == [], "\n".join(found)
