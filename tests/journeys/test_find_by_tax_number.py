"""An account is found by the tax number of its payer, as somebody typed it from an invoice."""

import re

import pytest
from playwright.sync_api import expect

from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from tests.admin.browser import page_of
from tests.journeys.conftest import TakePlace, a_member_of
from tests.journeys.hands import type_into_palette
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


def test_a_tax_number_with_blanks_leads_to_the_account(sit: TakePlace) -> None:
    preferences = Preferences("DE", tax_registrations=(TaxRegistration("DE", "DE136695976"),))
    account = make.a_ready_account(make.an_organization("acme-corp"), "eu", preferences=preferences)
    operator = sit(a_member_of("finance-operator"))
    page = operator.page
    operator.press(page.get_by_role("button", name="Search everything"))
    type_into_palette(page, "DE 136 695 976")
    found = page.get_by_role("link", name=re.compile("^eu"))
    expect(found).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(page_of(account)))
    assert operator.clicks == 1
