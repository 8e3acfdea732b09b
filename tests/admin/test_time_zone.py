"""Times of pages in the person's time zone: chosen in the user menu, with UTC as title, and nowhere else."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import lookup_field
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db.models import Model
from django.test import Client, RequestFactory
from django.utils import timezone
from unfold.templatetags.unfold_list import items_for_result

from billing.models import ApprovalRequest, BillingAccount
from billing.services.accounts import AccountSpec, revise
from milo.admin.time_zones import COOKIE
from tests.admin.browser import errors, every_act, filled_in, list_of, page_of, superuser, text_of
from tests.admin.conftest import Life, World
from tests.support import make
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


def titles(row: Model, names: Iterable[Any]) -> set[str]:
    """The titles of what `names` show of a row where they show an instant."""
    values = [lookup_field(name, row, admin.site.get_model_admin(type(row)))[2] for name in names]
    return {f'title="{at:%Y-%m-%d %H:%M:%S} UTC"' for at in values if isinstance(at, datetime)}


def test_each_instant_in_a_column_of_a_list_has_utc_as_title(life: Life, subtests: pytest.Subtests) -> None:
    request = RequestFactory().get("/")
    request.user, request.session = make.a_person(is_staff=True, is_superuser=True), SessionStore()
    waiting = RequestFactory().get("/?phase__exact=Pending")
    waiting.user, waiting.session = request.user, request.session
    lists: list[tuple[Any, Any]] = [(model, request) for model in admin.site._registry]
    shown = set()
    with timezone.override("Europe/Berlin"):
        for model, asked in [*lists, (ApprovalRequest, waiting)]:
            page_admin: Any = admin.site.get_model_admin(model)
            page = page_admin.get_changelist_instance(asked)
            with subtests.test(f"{model.__name__} {asked.GET.urlencode()}"):
                for row in page.result_list:
                    cells = "".join(items_for_result(page, row, None))
                    expected = titles(row, page_admin.get_list_display(asked))
                    assert [title for title in expected if title not in cells] == []
                    shown |= expected
    assert len(shown) > 1


def test_each_instant_among_the_fields_of_a_page_has_utc_as_title(world: World, berlin: Client) -> None:
    client = superuser()
    client.cookies[COOKIE] = "Europe/Berlin"
    person = world.membership.user
    User.objects.filter(pk=person.pk).update(last_login=AT)
    expected = {world.us: ["created_at"], person: ["last_login", "date_joined"]}
    for row, names in expected.items():
        row.refresh_from_db()
        page = client.get(page_of(row)).content.decode()
        assert len(titles(row, names)) == len(names)
        assert [title for title in titles(row, names) if title not in page] == []


def test_no_form_shows_the_markup_of_a_time_as_text(life: Life, world: World) -> None:
    person = superuser()
    person.cookies[COOKIE] = "Europe/Berlin"
    pages = {path: person.get(path).content.decode() for path in every_act()}
    assert [path for path, page in pages.items() if "&lt;time" in page] == []
    resolving = next(page for path, page in pages.items() if path.endswith("/resolve-suspension/"))
    assert " CE" in resolving


def test_the_answer_to_a_form_is_in_the_zone_too_and_so_is_a_conflict(world: World, berlin: Client) -> None:
    page = page_of(world.eu, "revise")
    answers = filled_in(berlin.get(page), display_name="Mine", why="renamed")
    revise(world.eu.pk, replace(AccountSpec.of(world.eu), display_name="Theirs"), actor=make.PLATFORM)
    with nothing_changes():
        told = " ".join(errors(berlin.post(page, answers))["__all__"])
    assert re.search(r"changed it at [0-9-]+ [0-9:]+ CES?T: ", told)
    token = berlin.get("/admin/own-token/")
    expires = token.context["form"]["expires_at"].value()
    refused = berlin.post("/admin/own-token/", filled_in(token, description=""))
    # what is typed stays in UTC
    assert refused.context["form"]["expires_at"].value() == expires


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
