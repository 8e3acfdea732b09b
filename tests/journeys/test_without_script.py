"""A browser that runs no script: pages are read, lists are filtered and forms are sent."""

import pytest
from playwright.sync_api import Browser, expect

from billing.models import BillingAccount
from billing.services.default_accounts import default_of
from tests.admin.browser import page_of
from tests.journeys.conftest import PASSWORD, a_member_of
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


def test_an_account_is_found_and_suspended(address: str, browser: Browser, transactional_db: None) -> None:
    account = make.a_ready_account(make.an_organization(), "acme-us", display_name="ACME US")
    operator = a_member_of("finance-operator")
    context = browser.new_context(base_url=address, ignore_https_errors=True, java_script_enabled=False)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto("/admin/billing/billingaccount/")
    page.get_by_label("Username").fill(operator.get_username())
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator("[name=phase__exact]").select_option("Ready")
    page.get_by_role("button", name="Apply Filters").click()
    page.get_by_role("link", name="acme-us", exact=True).click()
    page.locator("a[href$='/suspend/']").first.click()
    page.locator("[name=reason_code]").select_option("ManualReview")
    page.locator("[name=message]").fill("A question about the contract")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Suspend", exact=True).click()
    expect(page.get_by_text("Manual review", exact=True).first).to_be_visible()
    assert BillingAccount.objects.get().phase == "Suspended"
    # a box that is searched while one types takes the whole name
    page.goto(page_of(account.organization, "default-account"))
    page.get_by_label("Or its whole name").fill("acme-us")
    page.get_by_label("Reason").fill("The department moved")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Set default account").click()
    expect(page.get_by_text("acme-us pays for new projects")).to_be_visible()
    assert default_of(account.organization) == account
    context.close()
