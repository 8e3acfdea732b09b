"""No refusal and no page on the staff site speaks the words of the API, or of Python."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils.html import strip_tags

from tests.admin.browser import every_act, every_page, superuser

OF_THE_API = re.compile(
    r"kubectl|DNS-1123|\b(?:spec|status|metadata|reviewed)\.[a-z]\w*|: was \[|\['|\{'|\bNone\b|Decimal\(|datetime\."
    r"|\bBillingAccount(?:Binding|Affiliation)?\b|\bApprovalRequest\b|\bPayerChange\b"
    # an example of what to type is none
    r"|(?<!such as )\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|\+00:00)"
)
UNSEEN = re.compile(r"<(script|style|template)\b.*?</\1>", re.DOTALL)
pytestmark = [pytest.mark.once, pytest.mark.usefixtures("life")]


def of_the_api(text: str) -> list[str]:
    """Words of the API in a text, with what stands around them."""
    return [text[max(0, it.start() - 60) : it.end() + 40] for it in OF_THE_API.finditer(text)]


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
            texts = sent(client, address)
            assert not [
                text[max(0, it.start() - 60) : it.end() + 40] for text in texts for it in OF_THE_API.finditer(text)
            ]


def test_no_page_has_words_of_the_api(subtests: pytest.Subtests) -> None:
    client = superuser()
    for address in [*every_page(), *every_act()]:
        with subtests.test(address):
            text = strip_tags(UNSEEN.sub("", client.get(address).content.decode()))
            assert not of_the_api(text)
