"""Reasons and phases are read by their labels on every page of the staff site; the codes are titles."""

import re

import pytest
from django.test import Client
from django.utils import translation
from django.utils.html import strip_tags

from billing.admin.reasons import LABELS
from billing.models import ApprovalRequest, BillingAccount, Notice
from billing.reason_codes import ReasonCode
from milo.admin.messages import why
from milo.admin.reasons import choices, reason
from milo.kube.core.event_types import classified
from tests.admin.browser import every_page, page_of, superuser
from tests.admin.conftest import Life, World

pytestmark = pytest.mark.once

CODE = re.compile(r"\b(?:[A-Z][a-z]+){2,}\b")
UNSEEN = re.compile(r"<(script|style|template)\b.*?</\1>", re.DOTALL)


def codes() -> set[str]:
    """Every code of two words that a person would have to guess."""
    listed = {*Notice.About.values, *ApprovalRequest.Action.values, *ReasonCode.values}
    return {code for code in {*listed, *(code for code, _label in choices())} if CODE.fullmatch(code)}


def seen(client: Client, address: str) -> str:
    return strip_tags(UNSEEN.sub("", client.get(address).content.decode()))


def test_every_reason_has_a_label_in_both_languages_and_no_two_have_the_same() -> None:
    assert classified() <= LABELS.keys()
    for language in ("en", "de"):
        with translation.override(language):
            labels = dict(choices())
            assert len(set(labels.values())) == len(labels), language
            if language == "en":
                english = labels
    assert {code for code, label in labels.items() if label == english[code]} <= {"Chargeback"}


def test_a_reason_of_an_older_version_is_split_into_its_words_and_escaped() -> None:
    assert reason("") == "-"
    assert reason("PayerMoved") == '<data value="PayerMoved" title="PayerMoved">Payer moved</data>'
    assert why("RoleRevoked: <left>").endswith(">Role revoked</data>: &lt;left&gt;")
    assert why("initial import: 3 rows") == "initial import: 3 rows"


def test_no_page_shows_a_code(life: Life) -> None:
    client, guessed = superuser(), codes()
    client.cookies["django_language"] = "de"
    found = {
        address: shown
        for address in every_page()
        if not ("q=" in address or "scope=" in address)
        and (shown := guessed & set(CODE.findall(seen(client, address))))
    }
    assert found == {}


def test_the_code_is_the_title_and_stays_in_files(world: World, auditor: Client) -> None:
    account = BillingAccount.objects.get(pk=world.eu.pk)
    page = auditor.get(page_of(account)).content.decode()
    assert (
        '<data value="BillingAccountActive" title="BillingAccountActive">Active, and ready for projects</data>' in page
    )
    table = auditor.get(page_of(account, "timeline"), {"csv": "1"}).content.decode()
    assert "BillingAccountOpened" in table
