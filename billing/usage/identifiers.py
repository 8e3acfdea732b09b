"""Search the texts of a usage event for card numbers, and leave out the identifiers of devices and other systems.

Such identifiers are as long as card numbers, and many end in the same check digit (ISO/IEC 7812-1, Luhn): one in ten
would pass for a card number.
"""

import re
from functools import lru_cache

from stdnum import imei

from milo import card_numbers

# the last word of a dimension's name that makes its value an identifier of another system: deviceId, sim.iccid
_ID_NAMES = frozenset(
    "id uid uuid guid eid imei imeisv imsi meid iccid msisdn serial gtin ean upc gln sscc isbn issn lei".split()
)
_NAME_WORDS = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# 15 digits; with 15 digits, those that begin with 34 and 37 are cards (American Express)
_IMEI = re.compile("(?!3[47])[0-9]{15}")
# an IMEI, or an ICCID (ITU-T E.118: 89, a prefix under which no brand issues cards)
_DEVICE = re.compile("(?<![0-9])(?:(?!3[47])[0-9]{15}|89[0-9]{16,18})(?![0-9])")
_DIGITS = re.compile(r"\d(?:\D*\d){12}")


def text_holds_card_number(text: str, dimensions: dict[str, str]) -> bool:
    """Return whether what was measured holds a card number.

    `text` is that of `facts.text_of`; its last line holds the `dimensions`, which are searched one by one.
    """
    # a cheap answer for nearly all texts; in ASCII there is no invisible character to hide digits
    if text.isascii() and not _DIGITS.search(text):
        return False
    searched = [*text.split("\n")[:-1], *dimensions]
    searched += [value for name, value in dimensions.items() if not _is_identifier(name, value)]
    return any(map(card_numbers.found_in, searched))


@lru_cache(1024)
def source_holds_card_number(source: str) -> bool:
    """Return whether the source of an event holds a card number; the IMEI or ICCID of a device is none."""
    return card_numbers.found_in(_DEVICE.sub("~", source))


def id_holds_card_number(id: str) -> bool:
    """Return whether the id of an event holds a card number: only in an id with blanks, as no system writes its ids."""
    return len(id.split()) > 1 and card_numbers.found_in(id)


def _is_identifier(name: str, value: str) -> bool:
    """Return whether the dimension `name` holds an identifier of another system, by its name or as an IMEI."""
    words = [word.lower() for word in _NAME_WORDS.findall(name)]
    if words and words[-1] in _ID_NAMES and not {"card", "pan"}.intersection(words):
        return True
    return _IMEI.fullmatch(value) is not None and imei.is_valid(value)
