"""Tax registration numbers: their form and check digits. Nobody is asked whether a number is really registered."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from billing.compliance.dataset import data
from billing.compliance.jurisdictions import Jurisdiction

LENGTH = 40
# what people put between the groups of a number
_SEPARATORS = re.compile(r"[\s./\-\u2010-\u2015\u2212]")
# the number of a qualified invoice issuer is the corporate number behind a T, which the module does not know
_LETTER_BEFORE = {"stdnum.jp.cn": "T"}


class Form(StrEnum):
    """What is known of a number: never that it is registered."""

    VALID = "FormatValid"
    INVALID = "FormatInvalid"
    UNKNOWN = "FormatUnknown"


@dataclass(frozen=True, slots=True)
class TaxRegistration:
    """A tax number in a country (ISO 3166-1 alpha-2); an account may have several, of one country too."""

    country: str
    number: str

    def as_json(self) -> dict[str, Any]:
        """As in a manifest."""
        return {"country": self.country, "number": self.number}


@dataclass(frozen=True, slots=True)
class CheckedRegistration:
    """A number as its authority writes it, the name of its scheme there (`USt-IdNr`), and what is known of its form."""

    country: str
    scheme: str
    number: str
    form: Form


def checked(registration: TaxRegistration, on: date) -> CheckedRegistration:
    """Normalise a number and check it by the form and the check digits that its country had on a day.

    `FormatUnknown` where there are no data of the country; then the number is only stripped of separators.
    """
    compact = _SEPARATORS.sub("", unicodedata.normalize("NFKC", registration.number)).upper()
    jurisdiction = data().jurisdiction(registration.country, on)
    if jurisdiction is None:
        return CheckedRegistration(registration.country, "", compact, Form.UNKNOWN)
    number = _canonical(compact, jurisdiction)
    form = Form.VALID if number and _check_digits_hold(number, jurisdiction) else Form.INVALID
    return CheckedRegistration(registration.country, jurisdiction.tax_id_name, number or compact, form)


def _canonical(compact: str, jurisdiction: Jurisdiction) -> str:
    """The number with the prefix of its scheme; empty where it has not the form. Greece's GR becomes EL."""
    prefix = jurisdiction.tax_prefixes[0] if jurisdiction.tax_prefixes else ""
    written = (compact, prefix + compact, prefix + compact.removeprefix(jurisdiction.country))
    return next((number for number in written if jurisdiction.tax_form.fullmatch(number)), "")


def _check_digits_hold(number: str, jurisdiction: Jurisdiction) -> bool:
    if not jurisdiction.tax_modules:
        return True
    return any(
        module.is_valid(number.removeprefix(_LETTER_BEFORE.get(module.__name__, "")))
        for module in jurisdiction.tax_modules
    )
