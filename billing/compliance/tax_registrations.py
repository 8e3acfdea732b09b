"""Tax registration numbers: kind, form and check digits. Nobody is asked whether one is really registered."""

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
# a number of the Union's one-stop shop belongs to no country
REGISTRATION_COUNTRIES = COUNTRIES | {EUROPEAN_UNION}
# what people put between the groups of a number, besides white space and dashes
_SEPARATORS = frozenset("./\u00b7\u2212")
# format and control characters, which nobody sees, and dashes
_DROPPED = frozenset({"Cf", "Cc", "Pd"})
# numbers of Greece begin with EL, not with the code of ISO 3166-1 (Directive 2006/112/EC, article 215)
_VAT_PREFIXES = {"GR": "EL"}


class Form(StrEnum):
    """What is known of a number: never that it is registered."""

    VALID = "FormatValid"
    INVALID = "FormatInvalid"
    UNKNOWN = "FormatUnknown"


@dataclass(frozen=True, slots=True)
class TaxRegistration:
    """A tax number in a country (ISO 3166-1 alpha-2, or EU); an account may have several, of one country too.

    `scheme` is a `Scheme`, or empty where the form of the number is to tell.
    """

    country: str
    number: str
    scheme: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as in a manifest, without a scheme where none was given."""
        found = {"country": self.country, "number": self.number}
        return found | {"scheme": self.scheme} if self.scheme else found


@dataclass(frozen=True, slots=True)
class CheckedRegistration:
    """A number as its authority writes it, with what is known of it.

    `scheme` is empty where neither the manifest nor the form tells; `name` is what a number of a known form is called
    there (`USt-IdNr`).
    `kind` is the row it was judged by. `base` is the number without what only marks it as one for VAT: a prefix, or
    Japan's T.
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
        """What two registrations have in common if they are one, however they are written.

        A number of the European Union's one-stop shop is one, whichever member it is given with.
        """
        return self.kind.country if self.kind else self.country, self.base


def checked(registration: TaxRegistration, on: date) -> CheckedRegistration:
    """Normalize a number and find its kind by the form and the check digits that its country had on a day.

    With a scheme it must be of that scheme, or the form is invalid; without, the kinds are tried in the order of the
    data. A VAT number without its prefix is `Other`: the prefix claims the registration. `FormatUnknown` where there
    are no data of the country, or none of that scheme and nothing that claims to be a VAT number; so too for what is
    no scheme at all, which is the caller's to refuse.
    """
    country, number = registration.country, _normalized(registration.country, registration.number)
    kinds = _kinds(country, on)
    if not kinds or registration.scheme not in ("", *Scheme):
        return CheckedRegistration(country, registration.scheme, "", number, Form.UNKNOWN, number)
    asked = [kind for kind in kinds if registration.scheme in ("", *kind.schemes)]
    for kind in asked:
        prefixed = number.startswith(kind.prefix)
        if (prefixed or registration.scheme) and (base := kind.base(number)):
            scheme = registration.scheme or kind.scheme
            return CheckedRegistration(country, scheme, kind.name, number, Form.VALID, base, kind)
    if registration.scheme in ("", Scheme.OTHER):
        for kind in kinds:
            if kind.prefix and not number.startswith(kind.prefix) and (base := kind.base(number)):
                name = f"{kind.name} without {kind.prefix}"
                return CheckedRegistration(country, Scheme.OTHER, name, number, Form.VALID, base, kind)
    if _may_be_unlisted(registration.scheme, asked, number, kinds):
        return CheckedRegistration(country, registration.scheme, "", number, Form.UNKNOWN, number)
    judge = asked[0] if asked else kinds[0]
    return CheckedRegistration(country, registration.scheme, "", number, Form.INVALID, number, judge)


@lru_cache(maxsize=1_000)
def _kinds(country: str, on: date) -> tuple[TaxNumber, ...]:
    return data().tax_numbers_of(country, on)


def _may_be_unlisted(scheme: str, asked: Sequence[TaxNumber], number: str, kinds: Sequence[TaxNumber]) -> bool:
    """Whether a number may be of a kind that the data lack: another one, or a national id where none is known."""
    if any(kind.claims(number) for kind in kinds):
        return False
    return scheme == Scheme.OTHER or (scheme in (Scheme.NATIONAL_BUSINESS_ID, Scheme.PERSONAL_ID) and not asked)


def _normalized(country: str, text: str) -> str:
    """The number in ASCII digits and capitals, without separators and what nobody sees. Idempotent.

    Decomposed first: what is dropped may have kept a letter and its mark apart.
    """
    if text.isascii() and text.isalnum():
        number = text.upper()
    else:
        kept = (character for character in unicodedata.normalize("NFKD", text) if not _is_dropped(character))
        number = unicodedata.normalize("NFC", "".join(map(_plain, kept)))
    prefix = _VAT_PREFIXES.get(country)
    return prefix + number.removeprefix(country) if prefix and number.startswith(country) else number


def _is_dropped(character: str) -> bool:
    unseen = "\ufe00" <= character <= "\ufe0f"
    return unseen or character.isspace() or character in _SEPARATORS or unicodedata.category(character) in _DROPPED


def _plain(character: str) -> str:
    """ASCII capitals and digits for ASCII letters and the decimal digits of any script; anything else as it is.

    `str.upper` would make an SS of ß, and a plain I of the dotless one of Turkish.
    """
    if character in ascii_lowercase:
        return character.upper()
    return str(unicodedata.decimal(character, character))
