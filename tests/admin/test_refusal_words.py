"""No refusal and no page on the staff site speaks the words of the API, or of Python."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils.html import strip_tags

from billing.admin.payment_labels import FIELD_LABELS, METHOD_LABELS
from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.models import BillingAccount, BillingAccountAffiliation, PayerChange
from billing.services.accounts import AccountSpec, revise
from milo.identity.models import LogIn
from tests.admin.browser import errors, every_act, every_page, filled_in, list_of, page_of, submit, superuser, text_of
from tests.admin.conftest import Life, World
from tests.support import make
from tests.support.ledger import nothing_changes

OF_THE_API = re.compile(
    r"kubectl|DNS-1123|\b(?:spec|status|metadata|reviewed)\.[a-z]\w*|: was \[|\['|\{'|\bNone\b|Decimal\(|datetime\."
    r"|\bBillingAccount(?:Binding|Affiliation)?\b|\bApprovalRequest\b|\bPayerChange\b"
    # an example of what to type is none
    r"|(?<!such as )\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|\+00:00)"
)
UNSEEN = re.compile(r"<(script|style|template)\b.*?</\1>", re.DOTALL)
pytestmark = [pytest.mark.once, pytest.mark.usefixtures("life")]

NAMES = "|".join(name for name in (*METHOD_LABELS, *FIELD_LABELS) if not name.islower())
OF_MANIFESTS = re.compile(
    rf"\b(?:{NAMES}|[a-z]+Terms|netDays|NoFindings)\b|\bcountry: |\bnumber: |\((?:rule|Regel) |subresource"
)


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


def test_what_was_is_told_without_words_of_the_api(life: Life, world: World, subtests: pytest.Subtests) -> None:
    account = make.an_incomplete_account(world.organization, "acme-lab")
    seen = Preferences("DE", tax_registrations=(TaxRegistration("DE", "DE136695976"),))
    profile = {
        "sepaDebitCore": {
            "mandateReference": "M-1",
            "mandateSignedDate": "2026-01-15",
            "ibanLast4": "3000",
            "ibanToken": "tok_1",
        }
    }
    spec = AccountSpec(currency_code="EUR", payment_terms=make.TERMS, payment_profile=profile, preferences=seen)
    assert revise(account.pk, spec, actor=make.PLATFORM).phase == BillingAccount.Phase.READY
    client = superuser()
    plan = life.change
    for address in (
        page_of(account, "history"),
        page_of(account, "timeline"),
        page_of(world.us, "timeline"),
        page_of(plan, "history"),
        list_of(LogIn, "ledger"),
    ):
        with subtests.test(address):
            text = strip_tags(UNSEEN.sub("", client.get(address).content.decode()))
            assert not of_the_api(text)
            assert not OF_MANIFESTS.findall(text)
    assert "Message: - → " in strip_tags(client.get(page_of(account, "timeline")).text)


def test_a_method_is_refused_by_its_label_without_the_rule(world: World) -> None:
    page = submit(
        superuser(),
        page_of(world.us, "revise"),
        payment_method="sepaDebitCore",
        card_reference="",
        mandate_reference="M-1",
        mandate_signed_date="2026-01-15",
        iban_last4="3000",
        iban_token="tok_1",
        why="x",
    )
    assert errors(page)["payment_method"] == ["SEPA direct debit, Core does not settle USD; it settles EUR"]


def test_an_obstacle_is_told_in_the_language_of_the_person(life: Life) -> None:
    stored = "1 projects cannot move as things are: the subresource preview names them"
    PayerChange.objects.filter(pk=life.change.pk).update(obstacle=stored)
    client = superuser()
    assert (
        "Projects that cannot move as things are: 1. The preview names them." in client.get(page_of(life.change)).text
    )
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    for address in (page_of(life.change), page_of(life.change, "history")):
        text = client.get(address).text
        assert "cannot move" not in text
        assert "subresource" not in text
    account = client.get(page_of(make.a_ready_account(life.change.organization, "acme-lab"))).text
    assert "ready for project linking" not in account
    assert "bereit" in account


def test_a_text_that_nobody_sees_is_refused_once(life: Life, world: World) -> None:
    client = superuser()
    with nothing_changes():
        refused = {
            "comment": submit(client, page_of(life.request, "reject"), comment="\u200b"),
            "reason": submit(client, page_of(world.project, "lock-payer"), reason="\u200b"),
        }
    for field, page in refused.items():
        assert errors(page) == {"__all__": ["the request is invalid"], field: ["has nothing that can be seen"]}


def test_the_preview_of_a_revision_has_days_as_people_read_them(world: World) -> None:
    client = superuser()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    account = make.a_ready_account(world.organization, "acme-lab", currency_code="EUR")
    address = page_of(account, "revise")
    shared = {"payment_method": "sepaDebitCore", "card_reference": "", "iban_token": "tok_1", "iban_last4": "3000"}
    sepa = {**shared, "mandate_reference": "M-1", "mandate_signed_date": "2026-01-15"}
    page = client.post(address, filled_in(client.get(address), why="x", **sepa))
    assert page.context["form"].errors == {}
    shown = str(page.context["preview"])
    assert "15.01.2026" in shown
    assert "2026-01-15" not in shown


@pytest.mark.parametrize(("name", "kind"), [("paidOnDay", "date"), ("paidOn", "date/time")])
def test_a_day_that_cannot_be_read_is_named_and_kept(world: World, name: str, kind: str) -> None:
    def question(typed: str) -> Any:
        page = superuser().get(page_of(world.project), {name: typed})
        assert typed in page.text
        panels = (panel for panel in page.context["panels"] if panel.question)
        (asked,) = (panel.question for panel in panels if panel.question.name == name)
        assert (asked.value, f"Enter a valid {kind}." in page.text) == (typed, bool(asked.error))
        return asked

    assert question("garbage").error == f"Enter a valid {kind}."
    assert question("").error == ""
    assert question("2026-01-15" if kind == "date" else "2026-01-15T10:00").error == ""


def test_what_stands_in_the_way_of_an_affiliation_is_in_words(life: Life) -> None:
    why = "acme-eu is Incomplete: spec.paymentTerms.netDays is required"
    BillingAccountAffiliation.objects.filter(pk=life.plan.pk).update(obstacle=why)
    client = superuser()
    for text in (client.get(list_of(BillingAccountAffiliation)).text, text_of(client, life.plan.account)):
        assert "acme-eu is Incomplete: " in text
        assert "spec.paymentTerms" not in text
