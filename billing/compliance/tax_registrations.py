"""Tax registrations: kind, form and check digits of numbers. No register is queried."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from string import ascii_lowercase
from typing import Any

from billing.compliance.dataset import data
from billing.compliance.jurisdictions import COUNTRIES, EUROPEAN_UNION
from billing.compliance.tax_numbers import Scheme, TaxNumber

LENGTH = 40
# numbers of the Union's one-stop shop belong to no country
REGISTRATION_COUNTRIES = COUNTRIES | {EUROPEAN_UNION}
# separators between groups of digits, besides white space and dashes
_SEPARATORS = frozenset("./\u00b7\u2212")
# Unicode categories that are dropped: invisible format and control characters, and dashes
_DROPPED = frozenset({"Cf", "Cc", "Pd"})
# numbers of Greece begin with EL, not with the code of ISO 3166-1 (Directive 2006/112/EC, article 215)
_VAT_PREFIXES = {"GR": "EL"}


class Form(StrEnum):
    """The result of the form check. It does not say whether the number is registered."""

    VALID = "FormatValid"
    INVALID = "FormatInvalid"
    UNKNOWN = "FormatUnknown"


@dataclass(frozen=True, slots=True)
class TaxRegistration:
    """A tax number in a country (ISO 3166-1 alpha-2, or EU). An account may have several, also in one country.

    `scheme` is a value of `Scheme`, or empty to recognize it by the form of the number.
    """

    country: str
    number: str
    scheme: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the value of the manifest, without an empty scheme."""
        registration = {"country": self.country, "number": self.number}
        return registration | {"scheme": self.scheme} if self.scheme else registration


@dataclass(frozen=True, slots=True)
class CheckedRegistration:
    """A tax number in the notation of its authority, with the result of the form check.

    `scheme` is the declared or recognized one, or empty. `name` is the local name of a number with a known form
    (`USt-IdNr`), or empty. `kind` is the row that decided. `base` is the number without what only marks it as a VAT
    number: a prefix, or Japan's T.
    """

    country: str
    scheme: str
    name: str
    number: str
    form: Form
    base: str
    kind: TaxNumber | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """Return the key of the registration: equal for two notations of one registration.

        A number of the European Union's one-stop shop has one key, regardless of the member state it is declared with.
        """
        return self.kind.country if self.kind else self.country, self.base


def checked(registration: TaxRegistration, on: date) -> CheckedRegistration:
    """Normalize a number and recognize its kind by the forms and check digits of its country on the day `on`.

    With a declared scheme, the number must match a kind of that scheme, else it is `FormatInvalid`. Without, the kinds
    are tried in the order of the data; a VAT number without its prefix counts as `Other`, because the prefix claims
    the VAT registration. The result is `FormatUnknown` if the data lack the country, or have no kind of the declared
    scheme and the number does not claim to be of a known kind; also for an unknown scheme, which the caller refuses.
    """
    country, number = registration.country, _normalized(registration.country, registration.number)
    kinds = _kinds(country, on)
    if not kinds or registration.scheme not in ("", *Scheme):
        return CheckedRegistration(country, registration.scheme, "", number, Form.UNKNOWN, number)
    candidates = [kind for kind in kinds if registration.scheme in ("", *kind.schemes)]
    for kind in candidates:
        prefixed = number.startswith(kind.prefix)
        if (prefixed or registration.scheme) and (base := kind.base(number)):
            scheme = registration.scheme or kind.scheme
            return CheckedRegistration(country, scheme, kind.name, number, Form.VALID, base, kind)
    if registration.scheme in ("", Scheme.OTHER):
        for kind in kinds:
            if kind.prefix and not number.startswith(kind.prefix) and (base := kind.base(number)):
                name = f"{kind.name} without {kind.prefix}"
                return CheckedRegistration(country, Scheme.OTHER, name, number, Form.VALID, base, kind)
    if _may_be_unlisted(registration.scheme, candidates, number, kinds):
        return CheckedRegistration(country, registration.scheme, "", number, Form.UNKNOWN, number)
    # the row that the finding cites
    kind = candidates[0] if candidates else kinds[0]
    return CheckedRegistration(country, registration.scheme, "", number, Form.INVALID, number, kind)


@lru_cache(maxsize=1_000)
def _kinds(country: str, on: date) -> tuple[TaxNumber, ...]:
    return data().tax_numbers_of(country, on)


def _may_be_unlisted(scheme: str, candidates: Sequence[TaxNumber], number: str, kinds: Sequence[TaxNumber]) -> bool:
    """Return whether a number may be of a kind that the data lack: `Other`, or a national id if none is known."""
    if any(kind.claims(number) for kind in kinds):
        return False
    return scheme == Scheme.OTHER or (scheme in (Scheme.NATIONAL_BUSINESS_ID, Scheme.PERSONAL_ID) and not candidates)


def _normalized(country: str, text: str) -> str:
    """Return the number in ASCII digits and capitals, without separators and invisible characters. Idempotent.

    Decomposed first and composed last, because a dropped character may have separated a letter from its mark.
    """
    if text.isascii() and text.isalnum():
        number = text.upper()
    else:
        characters = (each for each in unicodedata.normalize("NFKD", text) if not _is_dropped(each))
        number = unicodedata.normalize("NFC", "".join(map(_plain, characters)))
    prefix = _VAT_PREFIXES.get(country)
    return prefix + number.removeprefix(country) if prefix and number.startswith(country) else number


def _is_dropped(character: str) -> bool:
    variation_selector = "\ufe00" <= character <= "\ufe0f"
    return (
        variation_selector
        or character.isspace()
        or character in _SEPARATORS
        or unicodedata.category(character) in _DROPPED
    )


def _plain(character: str) -> str:
    """Return ASCII capitals for ASCII letters, ASCII digits for decimal digits of any script, else the character.

    `str.upper` is not used: it makes SS of ß, and a plain I of the dotless one of Turkish.
    """
    if character in ascii_lowercase:
        return character.upper()
    return str(unicodedata.decimal(character, character))
