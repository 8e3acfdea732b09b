"""What opens by keyboard: the focus goes in, moves within and comes back, and nobody passes the side bar each time."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.admin.browser import page_of
from tests.journeys.conftest import LogIn
from tests.journeys.hands import type_into_palette
from tests.support import make
from tests.support.affiliations import an_affiliation

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


@pytest.fixture
def page(log_in: LogIn) -> Page:
    return log_in(make.a_person("operator", groups=("finance-operator",), is_staff=True))


def test_the_first_stop_skips_the_side_bar(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_filters_open_and_close_and_lead_back(page: Page) -> None:
    page.goto("/admin/billing/billingaccount/")
    filters = page.get_by_role("button", name="Filters", exact=True)
    filters.focus()
    page.keyboard.press("Enter")
    expect(filters).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_label("By organization").and_(page.get_by_role("combobox"))).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_text("By currency")).to_be_hidden()
    expect(filters).to_be_focused()


def test_the_menu_of_the_person_logs_out(page: Page) -> None:
    menu = page.get_by_role("button", name="operator")
    menu.focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Light")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Log out")).to_be_hidden()
    expect(menu).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Light")).to_be_focused()
    way_out = page.get_by_role("button", name="Log out")
    for _stop in range(10):
        page.keyboard.press("Tab")
        if way_out.evaluate("it => it === document.activeElement"):
            break
    expect(way_out).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Logged out")).to_be_visible()


def test_a_menu_of_actions_opens_moves_and_closes_beside_its_button(page: Page) -> None:
    page.goto(page_of(make.a_ready_account(make.an_organization("acme-corp"), "us")))
    opener = page.get_by_role("button", name="Request approval")
    first = page.get_by_role("link", name="Request closure")
    expect(first).to_be_hidden()
    opener.focus()
    page.keyboard.press("Enter")
    expect(opener).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    expect(first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Request other terms")).to_be_focused()
    expect(page.get_by_text("No hold is open.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(first).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_tree_of_accounts_is_opened_level_by_level(page: Page) -> None:
    organization = make.an_organization("acme-corp")
    group, middle, low = (make.a_ready_account(organization, name) for name in ("group", "middle", "low"))
    an_affiliation(middle, group)
    an_affiliation(low, middle)
    page.goto(f"{page_of(group)}?tab=hierarchy")
    deep = page.get_by_role("link", name="low", exact=True)
    expect(deep).to_have_count(0)
    page.locator("summary", has_text="middle").focus()
    page.keyboard.press("Enter")
    expect(deep).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(deep).to_be_focused()


def test_the_palette_opens_and_leads_on(page: Page) -> None:
    make.an_organization("acme-corp")
    page.get_by_role("button", name="Search everything").focus()
    page.keyboard.press("Enter")
    type_into_palette(page, "acme-c")
    expect(page.get_by_role("link", name="acme-corp")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/admin/projects/organization/"))
