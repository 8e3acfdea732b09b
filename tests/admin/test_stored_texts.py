"""Messages that services stored in English are read in German by who reads German; what people typed stays as it is."""

import re
from collections.abc import Iterable, Iterator
from html import unescape
from time import process_time

import pytest
from django.conf import settings
from django.db.models import CharField, JSONField, TextField
from django.test import Client
from django.utils import translation
from django.utils.html import strip_tags

from billing.models import BillingAccount, Suspension
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.requests import withdraw
from billing.services.default_accounts import set_default
from billing.services.payer_changes.conditions import foresee
from billing.services.projects import archive_project
from billing.services.suspensions import resolve, suspend
from milo import audit
from milo.admin import stored_texts
from milo.admin.changed_values import change_in_words
from milo.admin.messages import refusal_text
from milo.admin.stored_texts import in_their_language
from milo.kube.models import Change
from projects.services.organizations import OrganizationSpec
from tests.admin.browser import every_page, page_of, superuser
from tests.admin.conftest import Life, World
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.payer_changes import a_payer_change

pytestmark = pytest.mark.once
LEDGER = "/admin/identity/login/ledger/"
UNSEEN = re.compile(r"<(script|style|template)\b.*?</\1>", re.DOTALL)
# words that every text of services has one of
ENGLISH = re.compile(
    r"\b(?:and|are|at|by|cannot|end|first|for|from|instead|is|missing|not|of|on|pays?|required|the|under|was|were)\b"
)
TYPED = re.compile(
    "invoice 12 is disputed|agreed with the customer|under review|one invoice|first log-in|the department moves"
)


def much_happens(world: World, life: Life) -> None:
    """Let services say what they say of accounts that lack something, plans that fail, and acts that were approved."""
    organization = world.organization
    make.an_incomplete_account(organization, "lacking")
    asia = make.a_ready_account(organization, "acme-asia", currency_code="EUR")
    an_affiliation(asia, world.eu, payer="Parent")
    an_affiliation(BillingAccount.objects.get(name="acme-apac"), world.eu, payer="Self", after=2)
    for name in ("acme-asia", ""):
        set_default(organization.pk, OrganizationSpec(), name, actor=make.PLATFORM)
    moved = make.a_project(organization, "moved")
    make.a_binding(moved, asia)
    make.a_binding(moved, world.eu)
    archive_project(moved.pk, actor=make.PLATFORM)
    make.in_phase(make.a_ready_account(organization, "acme-old"), "Closed")
    risky = make.a_ready_account(organization, "acme-risky")
    a_payer_change(risky, make.a_project(organization, "at-risk"))
    make.in_phase(risky, "Suspended")
    assert foresee()


def worded(messages: Iterable[str]) -> set[str]:
    """Those of `messages` that services worded, and not people alone."""
    return {message for message in messages if ENGLISH.search(TYPED.sub("", message))}


def of_histories() -> set[str]:
    rows = (row for model in audit.histories() for row in model.history.all())  # type: ignore[attr-defined]
    return worded(row.history_change_message for row in rows)


def ledger(client: Client) -> Iterator[str]:
    """Each page of the ledger."""
    address = LEDGER + "?since="
    while address:
        page = client.get(address)
        yield page.content.decode()
        following = page.context["panels"][0].following
        address = following and LEDGER + following


def test_every_stored_message_is_read_in_german(world: World, life: Life) -> None:
    much_happens(world, life)
    before = of_histories()
    with translation.override("de"):
        german = {refusal_text(message) for message in before}
        events = {refusal_text(message) for message in worded(Change.objects.values_list("message", flat=True))}
    assert len(german) > 10
    assert len(events) > 20
    assert worded(german | events) == set()
    client = superuser()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    addresses = [address for address in every_page() if "/history/" in address or "/timeline/" in address]
    addresses += [page_of(row, part) for row in BillingAccount.objects.all() for part in ("timeline", "history")]
    found = [client.get(address).content.decode() for address in set(addresses)] + list(ledger(client))
    pages = "\n".join(unescape(strip_tags(UNSEEN.sub("", page))) for page in found)
    with translation.override("en"):
        assert {message for message in before if refusal_text(message) in pages} == set()
    assert {text for text in german if text not in pages} == set()
    for text in (
        "acme-eu zahlt für webapp-frontend",
        "Zahlungsziel in Tagen ist erforderlich",
        "das Abrechnungskonto acme-risky ist in der Phase Gesperrt, nicht bereit",
    ):
        assert text in pages
    assert of_histories() == before


def test_each_text_of_services_is_found_by_its_form_with_the_same_values() -> None:
    with translation.override("de"):
        texts = stored_texts._texts("de")
        assert len(texts) > 400
        for text in texts:
            values = {
                name: 7 if kind == "d" else "Ready" if name == "phase" else "acme-1"
                for name, kind in stored_texts._VALUE.findall(text.stored)
            }
            shown = {name: "Bereit" if name == "phase" else value for name, value in values.items()}
            told = re.sub(r"(%\(\w+\))d", r"\1s", text.told)
            assert in_their_language(text.stored % values if values else text.stored) == (
                told % shown if values else told
            )


def test_a_value_with_parentheses_is_told_whole_and_a_remark_behind_it_stays_behind() -> None:
    said = "invoices to businesses in Brazil need their tax number, CNPJ (alphanumeric possible) / CPF"
    german = (
        "Rechnungen an Unternehmen in Brazil müssen deren Steuernummer (CNPJ (alphanumeric possible) / CPF) enthalten"
    )
    with translation.override("de"):
        assert in_their_language(said) == german
        for remark in (" (rule tax.required.BR, confidence H)", "; a (b)"):
            assert in_their_language(f"x: {said}{remark}") == f"x: {german}{remark}"


def test_what_people_typed_is_read_as_typed_where_it_equals_a_text_of_services(world: World) -> None:
    name, reason = "Kiosk is Closed", "the account is closed"
    account, actor, arrow = world.eu, make.PLATFORM, " \N{RIGHTWARDS ARROW} "
    for display_name in (name, "BillingAccountClosed", "2026-01-31 (rule a, b)"):
        revise(account.pk, AccountSpec(display_name, "EUR", make.TERMS, make.CARD), actor=actor)
    request = make.a_request(account)
    withdraw(request.pk, comment=reason, actor=make.REQUESTER)
    suspend(account.pk, reason_code="ManualReview", message="under review", actor=actor)
    evidence = {"reviewer": "r", "note": reason}
    resolve(account.pk, Suspension.objects.get().uid, evidence=evidence, actor=actor)
    client = superuser()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"

    def text_of(*pages: str) -> str:
        return unescape(strip_tags("".join(UNSEEN.sub("", page) for page in pages)))

    history, timeline, withdrawn = (
        text_of(client.get(page_of(row, part)).content.decode())
        for row, part in ((account, "history"), (account, "timeline"), (request, "history"))
    )
    everything = text_of(*ledger(client))
    for page in (history, timeline, everything):
        assert "Das Abrechnungskonto ist aktiv" in page
        for typed in (name, "BillingAccountClosed", "2026-01-31 (rule a, b)"):
            assert f"{arrow}{typed}" in page
    for page in (withdrawn, timeline, everything):
        assert f"{arrow}{reason}" in page
    assert f": {reason}; " in timeline


def test_texts_that_people_write_are_told_as_they_are_and_those_of_services_are_translated() -> None:
    text, services = "the account is closed", set()
    with translation.override("de"):
        for model in audit.histories():
            for column in model._meta.concrete_fields:
                if isinstance(column, CharField | TextField | JSONField) and text not in (
                    told := change_in_words(model, column.name, "", text)
                ):
                    assert "das Konto ist geschlossen" in told
                    services.add(f"{model._meta.model_name}.{column.name}")
    assert {"billingaccount.phase_message", "billingaccountaffiliation.obstacle", "payerchange.obstacle"} <= services
    written = {"justification", "internal_note", "message", "reason", "display_name", "evidence", "comment", "username"}
    assert {column.partition(".")[2] for column in services} & written == set()


def test_a_text_that_repeats_the_words_between_values_takes_no_time() -> None:
    with translation.override("de"):
        texts = [stored_texts._VALUE.sub("\0", text.stored).split("\0") for text in stored_texts._texts("de")]
        repeated = [(parts[0] + "a".join(["", *parts[1:-1]]) * 4_000)[:4_000] for parts in texts if len(parts) > 2]
        assert len(repeated) > 50
        begun = process_time()
        for typed in repeated:
            in_their_language(typed)
        assert process_time() - begun < 3


@pytest.mark.parametrize(
    "typed",
    [
        "the customer is angry",
        "their card is missing",
        "paid for by acme",
        "by mistake",
        "Close to the end",
        "50% (%s)",
    ],
)
def test_what_people_typed_stays_as_it_is(typed: str) -> None:
    with translation.override("de"):
        assert refusal_text(typed) == typed
        assert refusal_text(f"acme-eu pays from now on: {typed}") == f"acme-eu zahlt von nun an: {typed}"
