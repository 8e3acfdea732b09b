"""The staff site in a real browser: what only scripts, styles and the keyboard can break."""

import re
from collections.abc import Callable, Iterator
from shutil import which

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect, sync_playwright

from billing.models import ApprovalRequest, BillingAccount
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.live import Live

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.once  # a page looks the same on either engine
Login = Callable[[User], Page]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    executable = which("chromium") or which("google-chrome")
    assert executable, "the pages are tested in Chromium: install it (on Debian: apt install chromium) and try again"
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # playwright's own event loop runs in the thread of the test, which asks the database beside it
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def login(chromium: Browser, live: Live) -> Iterator[Login]:
    """Opens a browser in which a person has typed their password; at the end none of them may have complained."""
    complaints: list[str] = []
    contexts = []

    def log_in(person: User) -> Page:
        context = chromium.new_context(base_url=live.url, ignore_https_errors=True)
        contexts.append(context)
        context.set_default_timeout(5_000)
        page = context.new_page()
        # a refused script or style (Content-Security-Policy) and a missing file are errors of the console
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/admin/")
        page.get_by_label("Username").fill(person.get_username())
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Overview")).to_be_visible()
        return page

    yield log_in
    for context in contexts:
        context.close()
    assert complaints == []


def test_an_operator_suspends_and_asks_and_an_approver_decides(login: Login) -> None:
    organization = make.an_organization("acme-corp")
    account = make.a_ready_account(organization, "us")
    make.a_binding(make.a_project(organization, "webapp", contact_email_addresses=["ops@acme-corp.example"]), account)
    operator = login(make.a_person("operator", groups=("finance-operator",), is_staff=True))
    operator.get_by_role("link", name="Billing accounts", exact=True).first.click()
    operator.get_by_role("link", name="us", exact=True).click()
    operator.get_by_role("link", name="Suspend", exact=True).click()
    operator.get_by_label("Reason code").select_option("ManualReview")
    operator.get_by_label("Message for customers").fill("We are looking into it.")
    operator.get_by_role("button", name="Preview").click()
    expect(operator.get_by_text("ops@acme-corp.example").first).to_be_visible()
    assert BillingAccount.objects.get().phase == "Ready"
    operator.get_by_role("button", name="Suspend", exact=True).click()
    expect(operator.get_by_text("us is suspended")).to_be_visible()
    # the word for the end of an account is on no button that does something else
    expect(operator.get_by_text("Close", exact=True)).to_have_count(0)
    assert BillingAccount.objects.get().phase == "Suspended"

    menu = operator.get_by_role("button", name="Request approval")
    menu.focus()
    operator.keyboard.press("Enter")
    operator.get_by_role("link", name="terms").click()
    operator.get_by_label("Net days").fill("90")
    operator.get_by_label("Justification").fill("agreed with the customer")
    operator.get_by_role("button", name="Request other terms").click()
    expect(operator.get_by_text("awaits the decision of a second person")).to_be_visible()
    request = ApprovalRequest.objects.get()

    approver = login(make.a_person("approver", groups=("finance-approver",), is_staff=True))
    # its name ends in the number of those that wait
    approver.get_by_role("link", name="Approval requests").first.click()
    approver.get_by_role("link", name=request.name).click()
    approver.get_by_label("Comment").fill("as agreed")
    approver.get_by_role("button", name="Approve").click()
    expect(approver.get_by_text("Approved", exact=True).first).to_be_visible()
    assert BillingAccount.objects.get().net_days == 90


def test_a_menu_of_actions_opens_moves_and_closes_by_keyboard_beside_its_button(login: Login) -> None:
    make.a_ready_account(make.an_organization("acme-corp"), "us")
    operator = login(make.a_person("operator", groups=("finance-operator",), is_staff=True))
    operator.get_by_role("link", name="Billing accounts", exact=True).first.click()
    operator.get_by_role("link", name="us", exact=True).click()
    opener = operator.get_by_role("button", name="Request approval")
    first = operator.get_by_role("link", name="Request closure")
    expect(first).to_be_hidden()
    opener.focus()
    operator.keyboard.press("Enter")
    expect(opener).to_have_attribute("aria-expanded", "true")
    operator.keyboard.press("Tab")
    expect(first).to_be_focused()
    operator.keyboard.press("ArrowDown")
    expect(operator.get_by_role("link", name="Request other terms")).to_be_focused()
    expect(operator.get_by_text("No hold is open.")).to_be_visible()
    operator.keyboard.press("Escape")
    expect(first).to_be_hidden()
    expect(opener).to_be_focused()


def test_the_tree_of_accounts_is_opened_level_by_level_by_keyboard(login: Login) -> None:
    organization = make.an_organization("acme-corp")
    group, middle, low = (make.a_ready_account(organization, name) for name in ("group", "middle", "low"))
    an_affiliation(middle, group)
    an_affiliation(low, middle)
    auditor = login(make.a_person("auditor", groups=("auditor",), is_staff=True))
    auditor.goto(f"/admin/billing/billingaccount/{group.pk}/change/?tab=hierarchy")
    deep = auditor.get_by_role("link", name="low", exact=True)
    expect(deep).to_have_count(0)
    auditor.locator("summary", has_text="middle").focus()
    auditor.keyboard.press("Enter")
    expect(deep).to_be_visible()
    auditor.keyboard.press("Tab")
    auditor.keyboard.press("Tab")
    expect(deep).to_be_focused()


def test_the_palette_opens_and_leads_on_by_keyboard_alone(login: Login) -> None:
    make.an_organization("acme-corp")
    auditor = login(make.a_person("auditor", groups=("auditor",), is_staff=True))
    auditor.get_by_role("button", name="Search everything").focus()
    auditor.keyboard.press("Enter")
    auditor.get_by_placeholder("Type to search").last.press_sequentially("acme-c")
    expect(auditor.get_by_role("link", name="acme-corp")).to_be_visible()
    auditor.keyboard.press("ArrowDown")
    auditor.keyboard.press("Enter")
    expect(auditor).to_have_url(re.compile("/admin/projects/organization/"))


def test_the_docs_of_the_api_work_under_their_content_security_policy(chromium: Browser, live: Live) -> None:
    context = chromium.new_context(base_url=live.url, ignore_https_errors=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script(
        "window.violations = [];"
        "addEventListener('securitypolicyviolation', it => violations.push(`${it.violatedDirective} ${it.blockedURI}`))"
    )
    answer = page.goto("/apis/docs")
    assert answer
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    expect(page.get_by_text("Milo Billing Accounts").first).to_be_visible(timeout=30_000)
    operation = page.locator(".opblock", has_text="/version").first
    operation.locator("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text("gitVersion", timeout=10_000)
    assert page.evaluate("window.violations") == []
    assert complaints == []
    # the policy is at work: a script that somebody smuggled in does not run
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.smuggled = 1'}))"
    )
    assert page.evaluate("window.smuggled") is None
    assert page.evaluate("window.violations").__len__() == 1
    context.close()
