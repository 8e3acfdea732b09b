"""The page that shows the API: its scripts run under a policy that lets no other script run."""

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.axe import faults

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("journeys")]


def test_the_docs_of_the_api_work_under_their_content_security_policy(address: str, browser: Browser) -> None:
    context = browser.new_context(base_url=address, ignore_https_errors=True)
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
    # those of Swagger UI itself: it puts links into buttons
    assert [fault for fault in faults(page) if not fault.startswith("nested-interactive")] == []
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
