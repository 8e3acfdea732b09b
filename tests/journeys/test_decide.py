"""An approver decides: three clicks after log-in, or two after the link of a mail."""

from typing import Any

import pytest
from playwright.sync_api import expect

from billing.services.notices.deliveries import deliver_due
from tests.admin.browser import page_of
from tests.journeys.conftest import TakePlace, a_member_of
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


def test_an_approver_decides_from_the_first_page(sit: TakePlace) -> None:
    account = make.a_ready_account(make.an_organization("acme-corp"), "us")
    request = make.a_request(account)
    approver = sit(a_member_of("finance-approver"))
    page = approver.page
    approver.press(page.get_by_role("link", name="Approval requests").first)
    approver.press(page.get_by_role("link", name=request.name))
    approver.press(page.get_by_role("button", name="Approve", exact=True))
    expect(page.get_by_text(f"{request.name}: Approved")).to_be_visible()
    account.refresh_from_db()
    assert (account.net_days, approver.clicks) == (90, 3)


def test_a_mail_leads_to_the_decision(sit: TakePlace, address: str, settings: Any, mailoutbox: list[Any]) -> None:
    settings.MILO_STAFF_URL = address
    person = a_member_of("finance-approver")
    person.email = "approver@acme-corp.example"
    person.save()
    request = make.a_request(make.a_ready_account(make.an_organization("acme-corp"), "us"))
    assert deliver_due() == 1
    [mail] = mailoutbox
    approver = sit(person)
    page = approver.page
    # a program of mail shows the message, and opens its link in the browser that is there
    page.goto("about:blank")
    page.set_content(mail.alternatives[0].content)
    page.get_by_role("link").click()
    expect(page).to_have_url(f"{address}{page_of(request)}")
    approver.write(page.get_by_label("Comment"), "not before the audit")
    approver.press(page.get_by_role("button", name="Reject"))
    expect(page.get_by_text(f"{request.name}: Rejected")).to_be_visible()
    request.refresh_from_db()
    assert (request.phase, request.account.net_days, approver.clicks) == ("Rejected", 30, 1)
