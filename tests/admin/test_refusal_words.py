"""No refusal on the staff site speaks the words of the API."""

import re
from typing import Any

import pytest
from django.test import Client

from tests.admin.browser import every_act, superuser

OF_THE_API = re.compile(r"kubectl|DNS-1123|\b(?:spec|metadata|reviewed)\.\w+|: was \[")
pytestmark = [pytest.mark.once, pytest.mark.usefixtures("life")]


def senseless(field: Any) -> str:
    """An answer that a field takes as it is typed, and the service refuses."""
    value = field.value()
    return str(value) if value not in (None, "", [], False) else "No/such Thing."


def texts(page: Any) -> str:
    """What the page of a form says on fields and above them."""
    form = page.context["form"]
    said = [str(field.help_text) for field in form] + [
        str(error) for errors in form.errors.values() for error in errors
    ]
    return "\n".join(said)


def sent(client: Client, address: str) -> list[str]:
    page = client.get(address)
    if page.status_code != 200 or not page.context or "form" not in page.context:
        return []
    answers = {field.html_name: senseless(field) for field in page.context["form"]}
    found = [texts(page)]
    for data in ({}, answers):
        answer = client.post(address, data)
        if answer.status_code == 200 and answer.context and "form" in answer.context:
            found.append(texts(answer))
    return found


def test_no_form_and_no_refusal_has_words_of_the_api(subtests: pytest.Subtests) -> None:
    client = superuser()
    for address in every_act():
        with subtests.test(address):
            assert not [word for text in sent(client, address) for word in OF_THE_API.findall(text)]
