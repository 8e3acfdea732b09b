"""Usage for which nobody paid is found and assigned to an account: an operator asks, an approver decides."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from billing.models import UsageAssignment
from tests.journeys.conftest import TakePlace, a_member_of, approve_the_request
from tests.journeys.hands import BOX
from tests.support import make
from tests.support.usage import an_event, taken

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


def test_usage_is_assigned(sit: TakePlace) -> None:
    organization = make.an_organization("acme-corp")
    make.a_ready_account(organization, "us")
    project = make.a_project(organization, "webapp")
    at = project.created_at - timedelta(days=40)
    taken(an_event(project.name, time=at))
    operator = sit(a_member_of("finance-operator"))
    page = operator.page
    operator.press(page.get_by_role("link", name="Projects", exact=True).first)
    operator.press(page.get_by_role("link", name="Usage for which nobody paid"))
    expect(page.get_by_role("main").get_by_role("link", name="webapp")).to_be_visible()
    operator.press(page.get_by_role("link", name="Assign", exact=True))
    expect(page.get_by_label("From")).to_have_value(f"{at:%Y-%m-%d}T00:00:00Z")
    # the account is not in the page: the server is asked while its name is typed
    operator.find(page.locator(BOX), "us")
    operator.write(page.get_by_label("Justification"), "agreed with the customer")
    operator.press(page.get_by_role("button", name="Request assignment of usage"))
    expect(page.get_by_text("awaits the decision of a second person")).to_be_visible()
    assert operator.clicks == 4

    approve_the_request(sit(a_member_of("finance-approver")))
    assert UsageAssignment.objects.get().project == project
