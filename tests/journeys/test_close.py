"""An account without anything open is closed: an operator asks, an approver decides."""

import pytest
from playwright.sync_api import expect

from billing.models import ApprovalRequest, BillingAccount
from tests.journeys.conftest import TakePlace, a_member_of
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


def test_an_account_is_closed(sit: TakePlace) -> None:
    make.a_ready_account(make.an_organization("acme-corp"), "us")
    operator = sit(a_member_of("finance-operator"))
    page = operator.page
    operator.press(page.get_by_role("link", name="Billing accounts", exact=True).first)
    operator.press(page.get_by_role("link", name="us", exact=True))
    operator.press(page.get_by_role("button", name="Request approval"))
    operator.press(page.get_by_role("link", name="Request closure"))
    operator.write(page.get_by_label("Justification"), "the customer leaves")
    operator.press(page.get_by_role("button", name="Request closure"))
    expect(page.get_by_text("awaits the decision of a second person")).to_be_visible()
    assert (BillingAccount.objects.get().phase, operator.clicks) == ("Ready", 5)

    request = ApprovalRequest.objects.get()
    approver = sit(a_member_of("finance-approver"))
    approver.press(approver.page.get_by_role("link", name="Approval requests").first)
    approver.press(approver.page.get_by_role("link", name=request.name))
    approver.press(approver.page.get_by_role("button", name="Approve", exact=True))
    expect(approver.page.get_by_text(f"{request.name}: Approved")).to_be_visible()
    assert (BillingAccount.objects.get().phase, approver.clicks) == ("Closed", 3)
