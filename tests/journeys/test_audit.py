"""An auditor reads what a person did in a week, over all kinds of objects."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from billing.services.accounts import AccountSpec, open_account
from milo.identity.actors import actor_of
from projects.services.projects import ProjectSpec, create_project
from tests.journeys.conftest import TakePlace, a_member_of
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


def test_a_persons_week_is_on_one_page(sit: TakePlace) -> None:
    organization = make.an_organization("acme-corp")
    actor = actor_of(a_member_of("finance-operator"))
    create_project("webapp", organization.pk, ProjectSpec(), actor=actor)
    open_account(organization.pk, "us", AccountSpec(currency_code="USD"), actor=actor)
    auditor = sit(a_member_of("auditor"))
    page = auditor.page
    auditor.press(page.get_by_role("link", name="Ledger", exact=True))
    auditor.write(page.get_by_label("Person"), "operator")
    auditor.write(page.get_by_label("From"), f"{timezone.now() - timedelta(days=7):%Y-%m-%d}")
    auditor.press(page.get_by_role("button", name="Show"))
    rows = page.get_by_role("main").locator("tr.data-row")
    expect(rows.filter(has_text="webapp")).to_have_count(1)
    expect(rows.filter(has_text="us").first).to_be_visible()
    expect(rows.filter(has_text="system:tests")).to_have_count(0)
    assert auditor.clicks == 2
