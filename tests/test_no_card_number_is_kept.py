"""Card numbers and IBANs where a payer may put them by mistake: nothing is kept of them, said of them or logged."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from billing.compliance.einvoicing import EInvoicing
from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.services.accounts import AccountSpec, open_account
from milo.errors import Invalid
from tests.compliance.test_card_number_fuzz import a_card_number, among_words, an_iban, written
from tests.support import make
from tests.support.ledger import nothing_changes

ROUNDS = 10_000


def of(**preferences: Any) -> AccountSpec:
    return AccountSpec("", "USD", make.TERMS, make.CARD, preferences=Preferences(**preferences))


def paying(profile: dict[str, Any]) -> AccountSpec:
    return AccountSpec("", "USD", make.TERMS, profile)


TOKENS: list[Callable[[str], AccountSpec]] = [
    lambda text: paying({"creditCard": {"cardReference": text}}),
    lambda text: paying({"creditCard": {"cardReference": "cc-1", text: "x"}}),
    lambda text: paying({text: {}}),
    lambda text: paying({"sepaDebitCore": {"mandateReference": text, "ibanToken": "b1"}}),
    lambda text: paying({"bacsDebit": {"mandateReference": "M1", "accountToken": text}}),
]
PLACES: list[Callable[[str], AccountSpec]] = [
    *TOKENS,
    lambda text: AccountSpec(text, "USD", make.TERMS, make.CARD),
    lambda text: AccountSpec("", text, make.TERMS, make.CARD),
    lambda text: AccountSpec("", "USD", make.TERMS, make.CARD, [text]),
    lambda text: of(country=text),
    lambda text: of(customer_kind=text),
    lambda text: of(country="AT", tax_registrations=(TaxRegistration("AT", text),)),
    lambda text: of(country="AT", tax_registrations=(TaxRegistration(text, "1"),)),
    lambda text: of(country="AT", tax_registrations=(TaxRegistration("AT", text, "Other"),)),
    lambda text: of(country="AT", tax_registrations=(TaxRegistration("AT", "1", text),)),
    lambda text: of(invoice_language=text),
    lambda text: of(invoice_format=text),
    lambda text: of(data_residency=text),
    lambda text: of(e_invoicing=EInvoicing(standard=text)),
    lambda text: of(e_invoicing=EInvoicing(peppol_participant_id=f"9999:{text}")),
    lambda text: of(e_invoicing=EInvoicing(leitweg_id=text)),
    lambda text: of(e_invoicing=EInvoicing(codice_destinatario=text)),
    lambda text: of(e_invoicing=EInvoicing(pec_address=text)),
]


@pytest.mark.once  # all of it is refused before the database is asked, or by the same search on both engines
@pytest.mark.django_db
def test_nothing_is_kept_or_told_of_a_number_wherever_it_is_put() -> None:
    chance, organization = random.Random(20261127), make.an_organization("acme-corp")
    with nothing_changes(), capture_logs() as logged:
        for turn in range(ROUNDS):
            if turn % 4:
                number, place = a_card_number(chance), chance.choice(PLACES)
                text = among_words(written(number, chance), chance)
            else:
                number, place = an_iban(chance), chance.choice(TOKENS)
                text = among_words(number, chance)
            with pytest.raises(Invalid) as refusal:
                open_account(organization.pk, "us", place(text), actor=make.PLATFORM)
            told = "".join(letter for letter in str(refusal.value) if letter.isalnum())
            assert number[:12] not in told, (text, told)
            assert number[-8:] not in told, (text, told)
    assert logged == []
