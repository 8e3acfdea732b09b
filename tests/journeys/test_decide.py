"""An approver decides: three clicks after log-in, or two after the link of a mail."""

import pytest
from playwright.sync_api import expect

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


def test_a_mail_leads_to_the_decision(sit: TakePlace) -> None:
    request = make.a_request(make.a_ready_account(make.an_organization("acme-corp"), "us"))
    approver = sit(a_member_of("finance-approver"))
    page = approver.page
    page.goto(page_of(request))
    approver.write(page.get_by_label("Comment"), "not before the audit")
    approver.press(page.get_by_role("button", name="Reject"))
    expect(page.get_by_text(f"{request.name}: Rejected")).to_be_visible()
    request.refresh_from_db()
    assert (request.phase, request.account.net_days, approver.clicks) == ("Rejected", 30, 1)
