"""Forms and messages of the staff site repeat what was typed, and no card number."""

from html import unescape
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.test import Client
from django.utils.safestring import SafeString, mark_safe

from milo.admin.forms import ActForm, Lines
from milo.admin.masking import MaskedMessages
from milo.errors import Cause, Invalid
from tests.admin.browser import every_act, filled_in, page_of, superuser
from tests.admin.conftest import Life
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.once

NUMBER = "4111111111111111"


class ColorForm(ActForm):
    paths = {"spec.color": "color"}
    color = forms.ChoiceField(choices=[("red", "red")])


def test_a_form_repeats_no_card_number_of_its_own_or_of_a_refusal() -> None:
    form = ColorForm({"color": NUMBER})
    assert not form.is_valid()
    form.refuse(Invalid.because([Cause("spec.color", f"{NUMBER} is none"), Cause(f"spec.{NUMBER}", "is unknown")]))
    assert len(form.errors["color"]) == 2
    for shown in (str(form.errors), str(form["color"].errors), *form.errors["color"], *form.non_field_errors()):
        assert "4111" not in shown
        assert "*" * 16 in shown or NUMBER not in shown
    assert ["red" in message for message in ColorForm({"color": "blue"}).errors["color"]] == [False]
    assert "blue" in ColorForm({"color": "blue"}).errors["color"][0]


def test_lines_are_masked_each_by_itself() -> None:
    """Names that are numbered 0 to 13 hold, below one another, digits of a card number with the same sign between."""

    class NamesForm(ActForm):
        names = Lines()
        reason = forms.CharField()

    names = "\n".join(f"team-{number}" for number in range(14))
    assert NamesForm({"names": names})["names"].value() == names
    assert NamesForm({"names": f"{names}\n{NUMBER}"})["names"].value() == f"{names}\n{'*' * 16}"
    assert NamesForm({"names": "a", "reason": ""})["names"].value() == "a"


@pytest.mark.django_db
def test_what_is_not_there_is_told_without_the_number_that_was_asked_for() -> None:
    client = superuser()
    for model in ("auth/user", "billing/billingaccount"):
        answer = client.get(f"/admin/{model}/{NUMBER}/change/", follow=True)
        assert NUMBER not in unescape(answer.content.decode())


@pytest.mark.django_db
def test_the_form_of_a_person_repeats_no_number() -> None:
    client: Client = superuser()
    person = User.objects.get()
    answer = client.post(page_of(person), {"username": person.username, "groups": NUMBER, "email": NUMBER})
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert "groups" in errors
    assert NUMBER not in str(errors)


def test_a_message_that_is_masked_is_no_markup() -> None:
    request = HttpRequest()
    request.session = SessionBase()
    storage = MaskedMessages(request)
    storage.add(20, mark_safe("<b>fine</b>"))
    storage.add(20, mark_safe(f"\uff1cscript\uff1e {NUMBER}"))
    plain, masked = (each.message for each in storage)
    assert isinstance(plain, SafeString)
    assert not isinstance(masked, SafeString)
    assert NUMBER not in masked


def shown(answer: Any) -> str:
    return unescape(answer.content.decode())


@pytest.mark.once  # the form is refused before the database is asked
def test_no_form_that_is_refused_shows_a_number_that_was_typed(life: Life) -> None:
    client, typed = superuser(), set[str]()
    for address in every_act():
        page = client.get(address)
        if page.status_code != 200 or "form" not in page.context:
            continue
        names = {name for name, field in page.context["form"].fields.items() if isinstance(field, forms.CharField)}
        # in all of them at once, and alone where no other form has had it in a field of the name
        for numbers in filter(None, (names, *({name} for name in sorted(names - typed)))):
            with nothing_changes():
                answer = client.post(address, filled_in(page) | dict.fromkeys(numbers, NUMBER))
            assert NUMBER not in shown(answer), (address, numbers)
        typed |= names
    assert len(typed) > 30, typed


def test_stars_that_were_shown_in_the_place_of_a_number_are_not_saved(life: Life) -> None:
    client, address = superuser(), page_of(life.request, "reject")
    page = client.get(address)
    for stars in ("*" * 16, "ref **** **** **** ****"):
        with nothing_changes():
            answer = client.post(address, {**filled_in(page), "comment": stars})
        assert "comment" in answer.context["form"].errors


def test_what_is_no_card_number_is_shown_again_as_it_was_typed(life: Life) -> None:
    client, address = superuser(), page_of(life.request, "reject")
    answer = client.post(address, {**filled_in(client.get(address)), "comment": "x" * 5000 + " 4111111111111112"})
    assert answer.status_code == 200
    assert "4111111111111112" in shown(answer)


def test_the_page_to_log_in_shows_no_number_that_was_typed_as_a_name(db: None) -> None:
    answer = Client().post("/admin/login/", {"username": NUMBER, "password": NUMBER})
    assert answer.status_code == 200
    assert NUMBER not in shown(answer)
