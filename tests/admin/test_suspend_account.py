"""Suspending an account on its page: a form, a preview with the very text, and only then the act."""

from typing import Any

import pytest
from django.test import Client

from billing.models import Notice, Suspension
from billing.services.notices.deliveries import message
from tests.admin.browser import buttons, errors, filled_in, list_of, page_of, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import authors, nothing_changes

pytestmark = pytest.mark.once

ANSWERS = {"reason_code": "PaymentPastDue", "message": "Invoice 12 is unpaid.", "internal_note": "a hard case"}


def preview_of(client: Client, world: World) -> dict[str, Any]:
    address = page_of(world.eu, "suspend")
    page = client.post(address, filled_in(client.get(address), **ANSWERS))
    return {title: str(value) for title, value in page.context["preview"]}


def test_a_preview_names_projects_recipients_and_the_very_text_and_changes_nothing(
    world: World, operator: Client
) -> None:
    project = make.a_project(world.organization, "data-lake", contact_email_addresses=["lake@acme-corp.example"])
    make.a_binding(project, world.eu)
    with nothing_changes():
        preview = preview_of(operator, world)
    assert preview["Projects that keep running on it"] == "2 in all<br>data-lake<br>webapp-frontend"
    assert preview["Who gets a notice"] == "1 in all<br>lake@acme-corp.example"
    submit(operator, page_of(world.eu, "suspend"), **ANSWERS)
    mail = message(Notice.objects.get())
    assert preview["Subject"] == mail.subject
    assert preview["Text of the notice"].split("<br>") == str(mail.body).splitlines()


def test_a_confirmation_that_is_sent_again_suspends_once(world: World, operator: Client) -> None:
    address = page_of(world.eu, "suspend")
    opened = operator.get(address)
    sent = filled_in(opened, **ANSWERS) | {"opened": opened.context["opened"]}
    preview = operator.post(address, sent)
    assert preview.context["opened"] == sent["opened"]
    for _turn in range(2):
        assert operator.post(address, sent | {"confirm": "1"}).status_code == 302
    assert Suspension.objects.count() == 1


def test_a_preview_of_many_projects_is_short(world: World, operator: Client) -> None:
    for number in range(21):
        make.a_binding(make.a_project(world.organization, f"batch-{number:02}"), world.eu)
    shown = preview_of(operator, world)["Projects that keep running on it"].split("<br>")
    assert (shown[0], shown[-1], len(shown)) == ("22 in all", "and 2 more", 22)


def test_the_confirmed_act_suspends_in_the_name_of_the_person(world: World, operator: Client) -> None:
    answer = submit(operator, page_of(world.eu, "suspend"), **ANSWERS)
    assert answer.headers["Location"] == page_of(world.eu)
    world.eu.refresh_from_db()
    suspension = Suspension.objects.get()
    assert (world.eu.phase, suspension.reason_code, suspension.message, suspension.internal_note) == (
        "Suspended",
        *ANSWERS.values(),
    )
    assert authors(suspension) == {"user:operator"}


def test_no_notice_holds_the_internal_note(world: World, operator: Client) -> None:
    submit(operator, page_of(world.us, "suspend"), **ANSWERS)
    mail = message(Notice.objects.get())
    assert ANSWERS["message"] in str(mail.body)
    assert ANSWERS["internal_note"] not in mail.message().as_string()


@pytest.mark.parametrize("missing", ["reason_code", "message"])
def test_without_reason_or_message_the_form_says_so(missing: str, world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, page_of(world.eu, "suspend"), **{**ANSWERS, missing: ""})
    assert list(errors(page)) == [missing]


@pytest.mark.parametrize("field", ["message", "internal_note"])
def test_a_card_number_is_refused_at_its_field_before_the_preview(field: str, world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, page_of(world.eu, "suspend"), **{**ANSWERS, field: "card 4111 1111 1111 1111"})
    assert "looks like a card number" in errors(page)[field][0]
    assert set(errors(page)) == {field, "__all__"}
    assert len(errors(page)["__all__"]) == 1


@pytest.mark.parametrize("phase", ["Incomplete", "Closed"])
def test_an_account_in_another_phase_offers_no_button_and_refuses(phase: str, world: World, operator: Client) -> None:
    account = make.in_phase(make.a_ready_account(world.organization), phase)
    assert page_of(account, "suspend") not in buttons(operator.get(page_of(account)))
    with nothing_changes():
        page = submit(operator, page_of(account, "suspend"), **ANSWERS)
    assert errors(page)["__all__"] == [f"a {phase} account cannot be suspended"]


def test_a_suspended_account_takes_a_second_reason(world: World, operator: Client) -> None:
    for code in ("PaymentPastDue", "Chargeback"):
        submit(operator, page_of(world.eu, "suspend"), **{**ANSWERS, "reason_code": code})
    assert operator.get(list_of(Suspension)).context["cl"].result_count == 2
