"""One server and one browser for all journeys, and people who have logged in.

Chromium is the one of the machine: no test downloads a browser.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django import DjangoDbBlocker

from billing.models import ApprovalRequest
from milo.dev import browsers
from tests.journeys.hands import Hand, Keyboard, Mouse
from tests.support import make
from tests.support.live import Certificates, serving

# a page takes its time where other tests run beside it
expect.set_options(timeout=10_000)
PASSWORD = "correct horse battery"
LogIn = Callable[[User], Page]
TakePlace = Callable[[User], Hand]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    executable = browsers.chromium()
    assert executable, f"the pages are tested in Chromium: {browsers.INSTALL}"
    return {**browser_type_launch_args, "executable_path": executable, "args": ["--no-sandbox"]}


@pytest.fixture(scope="package")
def browser(browser_type_launch_args: dict[str, Any]) -> Iterator[Browser]:
    """One for the folder, not for the session: its event loop would go on in the thread of all tests after it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**browser_type_launch_args)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def address(django_db_setup: None, django_db_blocker: DjangoDbBlocker, certificates: Certificates) -> Iterator[str]:
    """The address of a server that runs for all tests of the folder; each of them empties the database."""
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), serving(certificates) as url:
        # playwright's own event loop runs in the thread of the test, which asks the database beside it
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield url


@pytest.fixture
def log_in(address: str, browser: Browser, transactional_db: None) -> Iterator[LogIn]:
    """Opens a browser in which a person has typed their password; at the end none of them may have complained."""
    complaints: list[str] = []
    contexts = []

    def logged_in(person: User) -> Page:
        context = browser.new_context(base_url=address, ignore_https_errors=True)
        contexts.append(context)
        context.set_default_timeout(10_000)
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

    yield logged_in
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(params=[Mouse, Keyboard], ids=["mouse", "keyboard"])
def sit(request: pytest.FixtureRequest, log_in: LogIn) -> TakePlace:
    """Seats a person at a browser, logged in, who goes by mouse or by keyboard."""
    hand: Callable[[Page], Hand] = request.param
    return lambda person: hand(log_in(person))


def a_member_of(role: str) -> User:
    """Create a member of staff who has the platform role, and is named after what they do."""
    name = role.removeprefix("finance-")
    return make.a_person(name, groups=(role,), is_staff=True)


def approve_the_request(approver: Hand) -> None:
    """Approve the only request there is, from the first page on."""
    request = ApprovalRequest.objects.get()
    approver.press(approver.page.get_by_role("link", name="Approval requests").first)
    approver.press(approver.page.get_by_role("link", name=request.name))
    approver.press(approver.page.get_by_role("button", name="Approve", exact=True))
    expect(approver.page.get_by_text(f"{request.name}: Approved")).to_be_visible()
