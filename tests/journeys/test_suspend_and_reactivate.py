"""From the suspension of an account to its reactivation: three acts of an operator, and one of an approver."""

import pytest
from playwright.sync_api import expect

from billing.models import BillingAccount
from tests.journeys.conftest import TakePlace, a_member_of, approve_the_request
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


def test_an_account_is_suspended_resolved_and_reactivated(sit: TakePlace) -> None:
    organization = make.an_organization("acme-corp")
    account = make.a_ready_account(organization, "us")
    make.a_binding(make.a_project(organization, "webapp", contact_email_addresses=["ops@acme-corp.example"]), account)
    operator = sit(a_member_of("finance-operator"))
    page = operator.page
    operator.press(page.get_by_role("link", name="Billing accounts", exact=True).first)
    operator.press(page.get_by_role("link", name="us", exact=True))
    operator.press(page.get_by_role("link", name="Suspend", exact=True))
    operator.choose(page.get_by_label("Reason code"), "Manual review")
    operator.write(page.get_by_label("Message for customers"), "We are looking into it.")
    operator.press(page.get_by_role("button", name="Preview"))
    expect(page.get_by_text("ops@acme-corp.example").first).to_be_visible()
    assert BillingAccount.objects.get().phase == "Ready"
    operator.press(page.get_by_role("button", name="Suspend", exact=True))
    expect(page.get_by_text("us is suspended")).to_be_visible()
    # the word for the end of an account is on no button that does something else
    expect(page.get_by_text("Close", exact=True)).to_have_count(0)
    assert BillingAccount.objects.get().phase == "Suspended"
    assert operator.clicks == 5

    operator.press(page.get_by_role("button", name="More actions"))
    operator.press(page.get_by_role("link", name="Resolve suspension"))
    operator.write(page.get_by_label("Reviewer"), "operator")
    operator.write(page.get_by_label("Note", exact=False).first, "all in order")
    operator.press(page.get_by_role("button", name="Resolve suspension"))
    operator.press(page.get_by_role("button", name="Request approval"))
    operator.press(page.get_by_role("link", name="Request reactivation"))
    operator.write(page.get_by_label("Justification"), "reviewed")
    operator.press(page.get_by_role("button", name="Request reactivation"))
    expect(page.get_by_text("awaits the decision of a second person")).to_be_visible()
    assert operator.clicks == 11

    approve_the_request(sit(a_member_of("finance-approver")))
    assert BillingAccount.objects.get().phase == "Ready"
