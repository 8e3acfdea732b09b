"""German texts: of notices, of refusals and of the staff site; what the ledger keeps stays in one language."""

import re
from dataclasses import replace
from typing import Any

import pytest
from babel.messages.catalog import Message
from django.test import Client
from django.utils import translation

from billing.models import BillingAccount, Notice
from billing.notice_texts import render
from billing.services.accounts import AccountSpec, revise
from billing.services.notices.deliveries import message
from billing.services.notices.outbox import language_of
from billing.services.suspensions import preview, suspend
from milo.dev import messages
from milo.kube.models import Change
from tests.admin.browser import page_of, staff
from tests.support import make

pytestmark = pytest.mark.once

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]")
NOTICES = "billing/templates/billing/notices/"
CONTEXT: dict[str, dict[str, Any]] = {
    "Suspended": {"reasonCode": "PaymentPastDue", "message": "Rechnung 17"},
    "AwaitingDecision": {"act": "Close", "justification": "vereinbart", "requester": "user:operator"},
    "Decided": {"act": "Close", "phase": "Approved", "comment": "gut"},
    "ArchiveComing": {"day": "2026-04-11"},
    "PurgeComing": {"day": "2036-01-11"},
    "ProfileExpiring": {"method": "creditCard", "end": "2026-12-31"},
    "MoveAtRisk": {"change": "eu-to-emea", "at": "2027-02-01 00:00 UTC"},
    "MoveFailed": {"change": "eu-to-emea", "failed": 2, "total": 12},
    "AffiliationAtRisk": {
        "affiliation": "eu-under-group",
        "month": "2027-02",
        "parent": "group",
        "message": "gesperrt",
    },
    "AffiliationFailed": {
        "affiliation": "eu-under-group",
        "month": "2027-02",
        "parent": "group",
        "message": "gesperrt",
    },
}


def entries(application: str) -> list[Message]:
    return [entry for entry in messages.read(application) if entry.id]


@pytest.mark.once
@pytest.mark.parametrize("application", messages.APPLICATIONS)
def test_every_entry_of_a_catalog_is_german_with_the_same_values_and_compiled(application: str) -> None:
    assert entries(application)
    assert [entry.id for entry in entries(application) if not entry.string or entry.fuzzy] == []
    for entry in entries(application):
        source, german = str(entry.id), str(entry.string)
        assert sorted(PLACEHOLDER.findall(source)) == sorted(PLACEHOLDER.findall(german)), source
    path = messages.catalog(application).with_suffix(".mo")
    assert path.read_bytes() == messages.compiled(application), "run python -m milo.dev.messages"


@pytest.mark.once
@pytest.mark.parametrize("application", messages.APPLICATIONS)
def test_every_text_of_the_sources_has_german_text(application: str) -> None:
    german = {entry.id for entry in entries(application) if entry.string}
    texts: set[Any] = {text for _name, text in messages.sources(application)}
    texts |= set(messages.of_libraries()) if application == "milo" else set()
    assert len(texts) > len(Notice.About.values)
    assert texts - german == set(), "run python -m milo.dev.messages, and translate"


@pytest.mark.once
def test_texts_of_the_notices_are_found_in_their_templates() -> None:
    names = {name for name, _text in messages.sources("billing") if name.startswith(NOTICES)}
    assert len(names) > len(Notice.About.values)


@pytest.mark.parametrize("about", Notice.About.values)
def test_a_notice_reads_german_throughout(account: BillingAccount, about: str) -> None:
    context = CONTEXT.get(about, {})
    english, german = (render(about, context, account=account, language=language) for language in ("en", "de"))
    assert english.subject != german.subject
    assert not set(english.plain.splitlines()) & set(german.plain.splitlines()) - {"", context.get("message")}
    assert '<html lang="de">' in german.html
    words = re.sub(r"<[^>]*>", " ", german.html).split()
    assert words == german.plain.split()


@pytest.mark.once
@pytest.mark.parametrize("about", Notice.About.values)
def test_a_notice_calls_the_account_by_its_display_name_too(account: BillingAccount, about: str) -> None:
    account.display_name = "Fahrräder"
    text = render(about, CONTEXT.get(about, {}), account=account)
    for part in (text.subject, text.plain, text.html):
        assert len(re.findall(rf"\b{account.name}\b", part)) == part.count(f"Fahrräder ({account.name})")


@pytest.mark.parametrize(
    ("preferred", "platform", "told"),
    [("de-AT", "en", "de"), ("en", "de", "en"), ("fr", "de", "de"), ("", "de", "de"), ("", "en", "en")],
)
def test_the_accounts_language_comes_before_the_platforms(
    settings: Any, preferred: str, platform: str, told: str
) -> None:
    settings.MILO_NOTICE_LANGUAGE = platform
    assert language_of(BillingAccount(invoice_language=preferred)) == told


def test_recipients_are_told_in_the_language_of_the_account(invoiced_account: BillingAccount) -> None:
    spec = AccountSpec.of(invoiced_account)
    german = replace(spec, preferences=replace(spec.preferences, invoice_language="de-DE"))
    account = revise(invoiced_account.pk, german, actor=make.PLATFORM)
    project = make.a_project(account.organization, "frontend", contact_email_addresses=["a@acme-corp.example"])
    make.a_binding(project, account)
    seen = preview(account, reason_code="PaymentPastDue", message="Rechnung 17", actor=make.PLATFORM)
    suspend(account.pk, reason_code="PaymentPastDue", message="Rechnung 17", actor=make.PLATFORM)
    assert {(row.recipient, row.language) for row in Notice.objects.all()} == {
        ("a@acme-corp.example", "de"),
        ("invoices@example.org", "de"),
    }
    mail = message(Notice.objects.get(project=project))
    assert (mail.subject, mail.body) == (seen["subject"], seen["text"])
    assert mail.subject == "Das Abrechnungskonto us ist gesperrt"
    assert "Grund: Zahlung überfällig" in str(mail.body)


def test_the_staff_site_and_its_refusals_speak_the_language_of_the_browser(account: BillingAccount) -> None:
    client: Client = staff("finance-operator")
    german = {"Accept-Language": "de-AT,de;q=0.9"}
    page = client.get(f"{page_of(account)}?tab=closing", headers=german).content.decode()
    assert 'lang="de"' in page
    assert "Was der Schließung" in page or "Nichts steht der Schließung entgegen" in page
    answer = client.post(page_of(account, "suspend"), {"reason_code": "ManualReview", "message": " "}, headers=german)
    assert "Dieses Feld ist zwingend erforderlich." in answer.content.decode()
    assert "Nothing keeps it from being closed" in client.get(f"{page_of(account)}?tab=closing").content.decode()


def test_the_ledger_reads_the_same_whoever_acts(account: BillingAccount) -> None:
    with translation.override("de"):
        make.an_incomplete_account(account.organization, "eu")
        suspend(account.pk, reason_code="ManualReview", message="look", actor=make.PLATFORM)
    shown = {change.name: change.manifest["status"]["conditions"][0] for change in Change.objects.order_by("pk")}
    assert shown["eu"]["message"].startswith("spec.paymentTerms.netDays is required")
    assert (shown["us"]["reason"], shown["us"]["message"]) == ("ManualReview", "look")
