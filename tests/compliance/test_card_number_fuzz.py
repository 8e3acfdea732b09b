"""10,000 texts: every card number is found and none comes back; tax numbers and tokens pass where they belong."""

import hashlib
import random
import time
import uuid
from collections.abc import Callable

import pytest
from stdnum import iban, luhn

from billing.compliance.dataset import data
from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.payment_profile.profiles import causes, methods
from milo import card_numbers
from tests.compliance.facts import TODAY

HALF = 5_000
# issuer's prefix and the lengths it gives
ISSUERS = [("4", 13), ("4", 16), ("4", 19), ("51", 16), ("2221", 16), ("34", 15), ("37", 15), ("36", 14), ("6011", 16),
           ("3528", 16), ("62", 17), ("62", 19), ("5018", 13), ("6304", 18)]  # fmt: skip
SEPARATORS = ["", " ", "-", ".", "/", "_", "\u00a0", "\u2013", "\u2011", "\u2212", "\u200b", "\u2009", "\u00ad"]
DIGITS = ["0123456789", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19"]
WORDS = "pay by card ref. invoice 2026-11 of acme, please: (old) no #7 thanks\n\t".split(" ")
TAX_NUMBERS = [(country, kind.valid_sample) for country, kinds in data().tax_numbers.items() for kind in kinds]
TOKENS = ["cc-12345", "424242XXXXXX4242", "pm_1MtwBwLkdIwHu7ix28a3tqPa", "tok_visa", "seti_1Mm8s8LkdIwHu7ix0OXBfTRG"]


def a_card_number(chance: random.Random) -> str:
    prefix, length = chance.choice(ISSUERS)
    body = prefix + "".join(chance.choices("0123456789", k=length - len(prefix) - 1))
    return body + luhn.calc_check_digit(body)


def written(number: str, chance: random.Random) -> str:
    """The number as people and forms write it: grouped, with other digits, with characters that nobody sees."""
    separator, group = chance.choice(SEPARATORS), chance.choice([1, 2, 3, 4, 6])
    text = separator.join(number[start : start + group] for start in range(0, len(number), group))
    return text.translate(str.maketrans(DIGITS[0], chance.choice(DIGITS)))


def an_iban(chance: random.Random) -> str:
    body = "".join(chance.choices("0123456789", k=18))
    return f"DE{iban.calc_check_digits(f'DE00{body}')}{body}"


def a_uuid(chance: random.Random) -> str:
    made = uuid.UUID(int=chance.getrandbits(128), version=4)
    return chance.choice([str(made), made.hex, str(made).upper(), made.urn])


def among_words(text: str, chance: random.Random) -> str:
    return " ".join(
        [*chance.choices(WORDS, k=chance.randrange(4)), text, *chance.choices(WORDS, k=chance.randrange(4))]
    )


def test_every_card_number_is_found_and_none_comes_back() -> None:
    chance = random.Random(20261122)
    for _round in range(HALF):
        number = a_card_number(chance)
        beside = chance.choice(["", "", a_uuid(chance)])
        text = among_words(f"{written(number, chance)} {beside}".strip(), chance)
        assert card_numbers.found_in(text), text
        assert not card_numbers.found_in(masked := card_numbers.masked(text)), text
        assert number not in masked
        for found in (
            card_numbers.causes({"note": [text]}, "spec"),
            causes({"creditCard": {"cardReference": text}}),
            causes({"bacsDebit": {"accountToken": "tok", "mandateReference": text}}),
            causes({text: {}}),
            causes({"creditCard": {text: "x"}}),
            # no number of Austria has as many digits; an old card of 13 may be a German Steuernummer
            Preferences(tax_registrations=(TaxRegistration("AT", text),)).causes(TODAY),
        ):
            assert found, text
            told = "".join(
                character for cause in found for character in cause.field + cause.message if character.isdigit()
            )
            assert number not in told
            assert number[-4:] not in told, (text, found)


NO_CARD_NUMBERS: list[Callable[[random.Random], str]] = [
    lambda chance: chance.choice(TOKENS),
    a_uuid,
    lambda chance: hashlib.sha256(chance.randbytes(8)).hexdigest(),
    lambda chance: hashlib.sha1(chance.randbytes(8)).hexdigest(),
    lambda chance: f"{a_card_number(chance)[:6]}XXXXXX{chance.randrange(10_000):04}",
    lambda chance: f"20{chance.randrange(100):02}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}T12:30:00Z",
    lambda chance: "".join(chance.choices("0123456789", k=12)),
    lambda chance: "".join(chance.choices("ghjkmnpqrstvwxyz0123", k=24)),
]


def test_what_holds_no_card_number_passes() -> None:
    chance = random.Random(20261123)
    for _round in range(HALF):
        text = chance.choice(NO_CARD_NUMBERS)(chance)
        assert not card_numbers.found_in(text), text
        assert card_numbers.masked(text) == text
        assert causes({"creditCard": {"cardReference": text.strip()}}) == [] or text.isdigit(), text


def test_one_digit_off_is_no_card_number() -> None:
    chance = random.Random(20261124)
    for _round in range(1_000):
        number = a_card_number(chance)
        place = chance.randrange(len(number))
        off = f"{number[:place]}{(int(number[place]) + chance.randrange(1, 10)) % 10}{number[place + 1 :]}"
        assert not card_numbers.found_in(off), off


@pytest.mark.parametrize(("country", "number"), TAX_NUMBERS)
def test_a_sample_tax_number_is_never_taken_for_a_card_where_tax_numbers_go(country: str, number: str) -> None:
    assert Preferences(tax_registrations=(TaxRegistration(country, number),)).causes(TODAY) == []


def test_ibans_and_account_numbers_pass_as_virtual_accounts_and_nowhere_else() -> None:
    chance = random.Random(20261125)
    for _round in range(500):
        account = an_iban(chance)
        assert causes({"sepaCreditTransfer": {"virtualAccountReference": account}}) == []
        assert causes({"sepaCreditTransfer": {"remittanceReference": account}})
        assert causes({"vaBankTransferId": {"virtualAccountNumberRef": a_card_number(chance)}}) == []


def test_every_method_but_those_of_virtual_accounts_and_tax_refuses_a_card_number_in_each_text() -> None:
    chance = random.Random(20261126)
    # accounts; and a KID, whose check digit is the same
    exempt = {"virtualAccountReference", "virtualAccountNumberRef", "kidNumber"}
    for member, method in methods().items():
        for field in method.fields - exempt:
            number = a_card_number(chance)
            assert any(cause.field.endswith(f".{field}") for cause in causes({member: {field: number}})), (
                member,
                field,
            )


@pytest.mark.parametrize("part", ["1-", "12345678-1234-4234-8234-", "0a", "f-"])
def test_the_time_that_a_text_takes_grows_with_its_length(part: str) -> None:
    """A search that looked at each digit again for each other would take 256 times as long for 16 times the text."""
    text = part * (16_384 // len(part))
    assert _searched(text * 16) < 64 * max(_searched(text), 0.02)


def _searched(text: str) -> float:
    begun = time.process_time()
    card_numbers.found_in(text)
    return time.process_time() - begun
