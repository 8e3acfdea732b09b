"""Times of pages in the person's time zone: chosen in the user menu, with UTC as title, and nowhere else."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from billing.models import BillingAccount
from milo.admin.time_zones import COOKIE
from tests.admin.browser import list_of, page_of, text_of
from tests.admin.conftest import Life, World
from tests.support.ledger import nothing_changes

PAGE = "/admin/time-zone/"
AT = datetime(2026, 1, 15, 23, 30, tzinfo=UTC)
pytestmark = pytest.mark.once  # times are worded in Python


@pytest.fixture
def berlin(world: World, operator: Client) -> Client:
    BillingAccount.objects.filter(pk=world.us.pk).update(phase_since=AT)
    answer = operator.post(PAGE, {"zone": "Europe/Berlin"})
    assert answer.status_code == 302
    assert operator.cookies[COOKIE]["httponly"]
    return operator


def test_times_are_shown_in_the_zone_that_was_chosen_and_in_utc_before(world: World, operator: Client) -> None:
    BillingAccount.objects.filter(pk=world.us.pk).update(phase_since=AT)
    assert "2026-01-15 23:30:00 UTC" in operator.get(page_of(world.us)).content.decode()
    operator.post(PAGE, {"zone": "Europe/Berlin"})
    assert "2026-01-16 00:30:00 CET" in operator.get(page_of(world.us)).content.decode()
    assert "Europe/Berlin" in operator.get(PAGE).content.decode()
    assert f'href="{PAGE}"' in operator.get("/admin/").content.decode()


def test_the_title_of_a_time_is_utc(world: World, berlin: Client) -> None:
    [history] = [line for line in text_of(berlin, world.us).splitlines() if "<time" in line][:1]
    assert 'title="' in history
    assert ' UTC">' in history


def test_what_is_typed_in_and_written_stays_in_utc(life: Life, world: World, berlin: Client) -> None:
    asked = {"since": "2026-01-15T23:30", "before": "2026-01-15T23:31"}
    page = berlin.get(page_of(world.us, "timeline"), asked)
    assert page.context["form"].cleaned_data["since"] == AT
    assert 'value="2026-01-15T23:30"' in page.content.decode()
    exported: Any = berlin.post(list_of(BillingAccount, "export"), {"format": "0"})
    assert b"2026-01-15T23:30:00+00:00" in b"".join(exported.streaming_content)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", ""])
def test_a_zone_that_there_is_not_is_refused_or_utc(zone: str, world: World, operator: Client) -> None:
    with nothing_changes():
        assert operator.post(PAGE, {"zone": zone}).status_code == 200
    operator.cookies[COOKIE] = zone
    assert " UTC" in operator.get(page_of(world.us)).content.decode()
