"""A person gets a role in an organization, and loses it."""

import pytest
from playwright.sync_api import expect

from projects.models import Membership
from tests.journeys.conftest import TakePlace, a_member_of
from tests.journeys.hands import BOX
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


def test_a_role_is_granted_and_revoked(sit: TakePlace) -> None:
    make.an_organization("acme-corp")
    make.a_person("clerk")
    operator = sit(a_member_of("finance-operator"))
    page = operator.page
    operator.press(page.get_by_role("link", name="Organizations", exact=True).first)
    operator.press(page.get_by_role("link", name="acme-corp", exact=True))
    operator.press(page.get_by_role("link", name="Grant role"))
    operator.find(page.locator(BOX), "clerk")
    operator.choose(page.get_by_label("Role"), "Billing user")
    operator.write(page.get_by_label("Reason"), "joins the department")
    operator.press(page.get_by_role("button", name="Grant role"))
    held = page.get_by_role("link", name="clerk", exact=True).first
    expect(held).to_be_visible()
    assert (Membership.objects.get().role, operator.clicks) == ("billing-user", 4)
    operator.press(held)
    operator.press(page.get_by_role("link", name="Revoke role"))
    operator.write(page.get_by_label("Reason"), "leaves the department")
    operator.press(page.get_by_role("button", name="Revoke role"))
    expect(page.get_by_text("Role revoked: leaves the department")).to_be_visible()
    assert not Membership.objects.exists()
    assert operator.clicks == 7
