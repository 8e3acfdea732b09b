"""Holding an account, and asking for the release."""

from functools import partial
from typing import Any

import pytest
from django.test import Client

from billing.models import Hold
from tests.admin.browser import browser, buttons, errors, filled_in, page_of, submit, text_of
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import authors, nothing_changes
from tests.support.threads import at_once


def test_a_hold_is_set_and_shown_on_the_account(world: World, operator: Client) -> None:
    answer = submit(operator, page_of(world.us, "hold"), type="LegalHold", reason="court order 5")
    assert answer.headers["Location"] == page_of(world.us)
    hold = Hold.objects.get()
    assert (hold.account, hold.type, hold.reason) == (world.us, "LegalHold", "court order 5")
    assert authors(hold) == {"user:operator"}
    assert "court order 5" in text_of(operator, world.us)


def test_a_form_that_is_sent_again_holds_nothing_a_second_time(world: World, operator: Client) -> None:
    address = page_of(world.us, "hold")
    page = operator.get(address)
    sent = filled_in(page, type="LegalHold", reason="court order 5", opened=page.context["opened"])
    assert f'name="opened" value="{page.context["opened"]}"' in page.content.decode()
    operator.post(address, sent)
    with nothing_changes():
        again = operator.post(address, sent, follow=True)
    assert again.redirect_chain == [(page_of(world.us), 302)]
    assert "this form was sent before" in again.content.decode()
    submit(operator, address, type="LegalHold", reason="court order 6")
    assert Hold.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_double_click_holds_once(world: World) -> None:
    person, address = make.a_person("clicker", groups=("finance-operator",), is_staff=True), page_of(world.us, "hold")
    page = browser(person).get(address)
    sent = filled_in(page, type="LegalHold", reason="court order 5", opened=page.context["opened"])
    clients = [browser(person) for _click in range(4)]
    answers: list[Any] = at_once([partial(client.post, address, sent, follow=True) for client in clients])
    assert {answer.redirect_chain[0] for answer in answers} == {(page_of(world.us), 302)}
    assert Hold.objects.count() == 1
    told = [answer for answer in answers if "this form was sent before" in answer.content.decode()]
    assert len(told) == 3
    # what was refused may be mended and sent again
    refused = sent | {"opened": "another", "reason": " "}
    with nothing_changes():
        assert errors(clients[0].post(address, refused))
    assert clients[0].post(address, refused | {"reason": "court order 6"}).status_code == 302
    assert Hold.objects.count() == 2


@pytest.mark.parametrize("answers", [{"type": "LegalHold", "reason": " "}, {"type": "Other", "reason": "x"}])
def test_without_a_reason_or_of_an_unknown_type_it_is_refused(
    answers: dict[str, str], world: World, operator: Client
) -> None:
    with nothing_changes():
        assert errors(submit(operator, page_of(world.us, "hold"), **answers))


def test_a_closed_account_can_be_held(world: World, operator: Client) -> None:
    account = make.in_phase(make.a_ready_account(world.organization), "Closed")
    assert page_of(account, "hold") in buttons(operator.get(page_of(account)))
    submit(operator, page_of(account, "hold"), type="LegalHold", reason="court order 5")
    assert Hold.objects.get().account == account


def test_only_a_hold_that_stands_can_be_asked_to_be_released(world: World, operator: Client) -> None:
    address = page_of(world.us, "request-release")
    assert address not in buttons(operator.get(page_of(world.us)))
    submit(operator, page_of(world.us, "hold"), type="Dispute", reason="invoice 12")
    assert address in buttons(operator.get(page_of(world.us)))
    with nothing_changes():
        assert list(errors(submit(operator, address, hold="x", justification="settled"))) == ["hold"]
    request = submit(operator, address, hold=str(Hold.objects.get().uid), justification="settled")
    assert request.status_code == 302
    assert Hold.objects.get().released_at is None
