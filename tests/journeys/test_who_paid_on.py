"""Who paid for a project on a day: a sentence."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.journeys.conftest import TakePlace, a_member_of
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


def test_a_day_is_answered_by_a_sentence(sit: TakePlace) -> None:
    organization = make.an_organization("acme-corp")
    with make.created_at(timezone.now() - timedelta(days=3)):
        project = make.a_project(organization, "webapp")
    make.a_binding(project, make.a_ready_account(organization, "us"))
    auditor = sit(a_member_of("auditor"))
    page, day = auditor.page, f"{timezone.now():%Y-%m-%d}"
    auditor.press(page.get_by_role("link", name="Projects", exact=True).first)
    auditor.press(page.get_by_role("link", name="webapp", exact=True))
    auditor.write(page.get_by_label("On which day (UTC)"), day)
    auditor.press(page.get_by_role("button", name="Show").first)
    sentence = page.get_by_role("status").filter(has_text="webapp")
    expect(sentence).to_contain_text(f"the payer of webapp on {day} (UTC) is")
    expect(sentence).to_contain_text("us from")
    assert auditor.clicks == 3
