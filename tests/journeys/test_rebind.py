"""Another account pays for a project from now on."""

import pytest
from playwright.sync_api import expect

from billing.models import BillingAccountBinding
from tests.journeys.conftest import TakePlace, a_member_of
from tests.journeys.hands import BOX
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


def test_a_project_is_bound_to_another_account(sit: TakePlace) -> None:
    organization = make.an_organization("acme-corp")
    us, eu = (make.a_ready_account(organization, name) for name in ("us", "eu"))
    project = make.a_project(organization, "webapp")
    make.a_binding(project, us)
    operator = sit(a_member_of("finance-operator"))
    page = operator.page
    operator.press(page.get_by_role("link", name="Projects", exact=True).first)
    operator.press(page.get_by_role("link", name="webapp", exact=True))
    operator.press(page.get_by_role("link", name="Bind to account"))
    operator.find(page.locator(BOX), "eu")
    operator.write(page.get_by_label("Name of the new binding"), "webapp-eu")
    operator.write(page.get_by_label("Reason"), "the department moved")
    operator.press(page.get_by_role("button", name="Preview"))
    assert BillingAccountBinding.objects.paying().get().account == us
    operator.press(page.get_by_role("button", name="Bind to account"))
    expect(page.get_by_role("link", name="webapp-eu").first).to_be_visible()
    assert BillingAccountBinding.objects.paying().get().account == eu
    assert operator.clicks == 5
