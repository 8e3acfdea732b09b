"""Each page of the staff site is German for who reads German: no text of ours, of unfold or of Django stays English."""

import re
from functools import cache
from html import unescape

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation

from billing.models import BillingAccount, Charge
from milo.dev import messages
from milo.identity.tokens import scope_choices
from tests.admin.browser import every_act, every_page, list_of, page_of, superuser
from tests.admin.conftest import World
from tests.support import make

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("life")]
# codes stay codes as titles of their labels, and texts that were written once stay as they were written
UNSEEN = re.compile(r"<(script|style|template|pre)\b.*?</\1>|<!--.*?-->|<data [^>]*>", re.DOTALL)
READ = re.compile(r"""\b(?:title|aria-label|placeholder|alt)="([^"]*)"|>([^<>]+)<""")
# an example of what to type, and the day of a name, are none
ISO = re.compile(r"(?<!such as )(?<![\w-])[0-9]{4}-[0-9]{2}-[0-9]{2}(?![\w-])")


@cache
def english() -> frozenset[str]:
    """Every text of which there is a German one that differs."""
    texts = {text for application in messages.APPLICATIONS for _place, text in messages.sources(application)}
    texts |= {text for text in messages.of_libraries() if isinstance(text, str)}
    with translation.override("de"):
        known = {text: translation.gettext(text) for text in texts}
    german = {text.casefold() for text in known.values()}
    return frozenset(
        text.strip()
        for text, told in known.items()
        if told != text and text.casefold() not in german and "%" not in text
    )


def left_english(page: str) -> set[str]:
    """The texts of a page that there is German for, and those with a day that is not written as in German."""
    shown = READ.findall(UNSEEN.sub("", page))
    words = {unescape(text or label).strip() for label, text in shown}
    days = {unescape(text).strip() for _label, text in shown if ISO.search(text)}
    known = english()
    return days | {
        word
        for word in words
        if word in known or word.removesuffix(":") in known or word[:1].lower() + word[1:] in known
    }


def in_german(client: Client, addresses: list[str]) -> dict[str, set[str]]:
    """What stays English of each page, and of the answer to each empty form."""
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    found: dict[str, set[str]] = {}
    answers = [(address, client.get(address)) for address in addresses]
    answers += [(f"POST {address}", client.post(address, {})) for address in every_act()]
    for address, answer in answers:
        if answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html"):
            found[address] = left_english(answer.content.decode())
    return found


def test_no_text_of_a_page_stays_english() -> None:
    pages = [page for page in every_page() if not page.startswith("/admin/billing/notice/") or "/change/" not in page]
    found = in_german(superuser(), [*pages, *every_act(), "/admin/auth/user/add/", "/admin/time-zone/"])
    assert len(found) > 50
    # names of the API, in German texts too
    scopes = set(scope_choices())
    left: dict[str, list[str]] = {}
    for address, words in found.items():
        for word in words - scopes:
            left.setdefault(word, []).append(address)
    assert not left, "\n".join(f"{word}: {addresses[:3]}" for word, addresses in left.items())


def test_what_is_missing_on_an_account_is_said_in_german(world: World) -> None:
    account = make.an_incomplete_account(world.organization, "lacking")
    client = superuser()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    page = client.get(page_of(account)).content.decode()
    assert "ist erforderlich" in page
    assert "is required" not in page
    assert "Nach organization" not in client.get(list_of(BillingAccount)).content.decode()
    charges = client.get(list_of(Charge)).content.decode()
    assert "Nach account" not in charges
    assert "Filter anwenden" in charges
    assert "Ergebnis" in client.get("/admin/search/", {"s": "acme", "extended": "1"}).content.decode()
