"""What a list shows becomes a file."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.journeys.conftest import TakePlace, a_member_of
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("journeys")]


def test_a_searched_list_is_exported(sit: TakePlace, tmp_path: Path) -> None:
    organization = make.an_organization("acme-corp")
    for name in ("us", "eu"):
        make.a_ready_account(organization, name)
    auditor = sit(a_member_of("auditor"))
    page = auditor.page
    auditor.press(page.get_by_role("link", name="Billing accounts", exact=True).first)
    auditor.write(page.locator("#searchbar"), "eu")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=eu"))
    auditor.press(page.get_by_role("link", name="Export", exact=True))
    with page.expect_download() as download:
        auditor.press(page.get_by_role("button", name="Submit"))
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    head, *rows = file.read_text().splitlines()
    assert head.startswith("Name,")
    assert [row.split(",")[0] for row in rows] == ["eu"]
    assert auditor.clicks == 3
