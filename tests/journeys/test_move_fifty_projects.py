"""Fifty projects, selected in their list, move from one account to another."""

import re

import pytest
from playwright.sync_api import expect

from billing.models import BillingAccountBinding, PayerChange
from billing.services.payer_changes.facts import move_due
from tests.journeys.conftest import TakePlace, a_member_of
from tests.journeys.hands import BOX
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.xdist_group("journeys")]
MANY = 50


def test_the_projects_that_are_selected_in_the_list_move(sit: TakePlace) -> None:
    organization = make.an_organization("acme-corp")
    us, eu = (make.a_ready_account(organization, name) for name in ("us", "eu"))
    for number in range(MANY):
        make.a_binding(make.a_project(organization, f"webapp-{number}"), us)
    operator = sit(a_member_of("finance-operator"))
    page = operator.page
    operator.press(page.get_by_role("link", name="Projects", exact=True).first)
    boxes = page.locator("[name=selected]")
    expect(boxes).to_have_count(MANY)
    for number in range(MANY):
        operator.tick(boxes.nth(number))
    operator.press(page.get_by_role("button", name="Move the selected").last)
    expect(page.get_by_label("Projects", exact=True)).to_have_value(re.compile(f"(webapp-[0-9]+\\s*){{{MANY}}}"))
    operator.find(page.locator(BOX).last, "eu")
    operator.write(page.get_by_label("Reason"), "the department moved")
    operator.press(page.get_by_role("button", name="Preview"))
    assert not PayerChange.objects.exists()
    operator.press(page.get_by_role("button", name="Move projects"))
    expect(page).to_have_url(re.compile("/payerchange/"))
    assert operator.clicks == 4

    move_due()
    page.reload()
    expect(page.get_by_text(f"{MANY} of {MANY} projects moved")).to_be_visible()
    assert BillingAccountBinding.objects.paying().filter(account=eu).count() == MANY
