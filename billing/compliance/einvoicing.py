"""`spec.preferences.eInvoicing`: how a customer receives e-invoices, and the validation of its identifiers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from stdnum.de import leitweg

from billing.compliance.dataset import data
from billing.compliance.mandates import Identifier
from milo import card_numbers, email_addresses
from milo.errors import Cause

FIELD = "spec.preferences.eInvoicing"
PEC_ADDRESS = "pecAddress"
IDENTIFIERS = {
    Identifier.PEPPOL.value: "peppol_participant_id",
    Identifier.LEITWEG.value: "leitweg_id",
    Identifier.CODICE_DESTINATARIO.value: "codice_destinatario",
    PEC_ADDRESS: "pec_address",
}
"""The attribute of each name in the manifest."""
# prefix of participant identifiers in their full notation
_PEPPOL_PREFIX = "iso6523-actorid-upis::"
_PEPPOL = re.compile(r"([0-9]{4}):(\S+)")
_TO_COMPANY, _TO_OFFICE = re.compile(r"[A-Z0-9]{7}"), re.compile(r"[A-Z0-9]{6}")
ITALY = "IT"
# Codici Destinatario without a channel: recipients abroad, and those who use a PEC address or the tax portal
_ABROAD, _NO_CHANNEL = "XXXXXXX", "0000000"
# addresses of the Sistema di Interscambio itself, which it refuses as a recipient (00330)
_EXCHANGE_ADDRESS = re.compile(r".+@pec\.fatturapa\.it", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EInvoicing:
    """A standard of `data/einvoice_standards.csv` and the customer's identifiers. Each may be empty.

    `peppol_participant_id` is `scheme:identifier`; `pec_address` is used if there is no Codice Destinatario.
    """

    standard: str = ""
    peppol_participant_id: str = ""
    leitweg_id: str = ""
    codice_destinatario: str = ""
    pec_address: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the value of the manifest, without empty fields."""
        values = {name: getattr(self, attribute) for name, attribute in IDENTIFIERS.items()}
        identifiers = {name: value for name, value in values.items() if value}
        standard = {"standard": self.standard} if self.standard else {}
        return standard | ({"identifiers": identifiers} if identifiers else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "EInvoicing":
        """Parse the result of `as_json`."""
        identifiers = value.get("identifiers", {})
        attributes = {attribute: identifiers[name] for name, attribute in IDENTIFIERS.items() if name in identifiers}
        return cls(standard=value.get("standard", ""), **attributes)

    def identifier(self, name: Identifier) -> str:
        """Return the value of an identifier; empty for `Identifier.NONE`."""
        return "" if name is Identifier.NONE else str(getattr(self, IDENTIFIERS[name.value]))

    def normalised(self) -> "EInvoicing":
        """Return a copy with the identifiers in the notation of their networks."""
        return EInvoicing(
            self.standard,
            self.peppol_participant_id.strip().removeprefix(_PEPPOL_PREFIX),
            self.leitweg_id.strip().upper(),
            self.codice_destinatario.strip().upper(),
            self.pec_address.strip(),
        )

    def causes(self, *, government: bool, country: str = "", on: date = date.min) -> Iterator[Cause]:
        """Yield every fault of normalised values, for a recipient in `country` (ISO 3166-1 alpha-2) on the day `on`."""
        if self.standard and self.standard not in data().standards:
            known = ", ".join(sorted(data().standards))
            message = _("is not an e-invoice standard known here; known: %(known)s") % {"known": known}
            yield Cause(f"{FIELD}.standard", message, "FieldValueNotSupported")
        if self.peppol_participant_id and (fault := _peppol_fault(self.peppol_participant_id, on)):
            yield _identifier(Identifier.PEPPOL, fault)
        if self.leitweg_id and not leitweg.is_valid(self.leitweg_id):
            yield _identifier(Identifier.LEITWEG, _("is not a Leitweg-ID, or its check digits are wrong"))
        if self.codice_destinatario and (fault := self._codice_fault(country, government=government)):
            yield _identifier(Identifier.CODICE_DESTINATARIO, fault)
        if self.pec_address and (fault := self._pec_fault()):
            yield _identifier(PEC_ADDRESS, fault)

    def _codice_fault(self, country: str, *, government: bool) -> str:
        """Return why the Sistema di Interscambio refuses the code (00427 length, 00313 recipient); else empty."""
        form = _TO_OFFICE if government and country in ("", ITALY) else _TO_COMPANY
        if not form.fullmatch(self.codice_destinatario):
            return _("must have 6 letters or digits for a government office of Italy, 7 for anybody else")
        if self.codice_destinatario == _ABROAD and country == ITALY:
            return _("is for recipients abroad (SdI 00313); who has no code in Italy leaves it out, or gives 0000000")
        return ""

    def _pec_fault(self) -> str:
        if email_addresses.causes([self.pec_address], PEC_ADDRESS):
            return _("is not an e-mail address")
        if _EXCHANGE_ADDRESS.fullmatch(self.pec_address):
            return _("is an address of the Sistema di Interscambio and not of a recipient (SdI 00330)")
        if self.codice_destinatario not in ("", _NO_CHANNEL):
            return _("is refused beside a Codice Destinatario other than 0000000 (SdI 00426); give one of the two")
        return ""


def _identifier(name: str, message: str) -> Cause:
    return Cause(f"{FIELD}.identifiers.{name}", message)


def _peppol_fault(participant: str, on: date) -> str:
    match = _PEPPOL.fullmatch(participant)
    if not match:
        return _("must be a scheme of 4 digits, a colon and the identifier, as 0208:0428759497")
    number, identifier = match.groups()
    scheme = data().peppol_schemes.get(number)
    if scheme is None:
        return _("names scheme %(scheme)s, which Peppol does not know") % {"scheme": number}
    if scheme.retired(on):
        message = _("names scheme %(scheme)s, which Peppol removed on %(day)s")
        return message % {"scheme": number, "day": str(scheme.effective_to)}
    if not scheme.accepts(identifier):
        message = _(
            "has an identifier that scheme %(scheme)s (%(name)s) does not know, such as %(example)s: its form or "
            "check digits are wrong"
        )
        example = f"{number}:{scheme.example or '1234567890'}"
        return message % {"scheme": number, "name": scheme.name, "example": example}
    # only free text is searched: numbers with a form or check digits would match a card number by chance
    return _("looks like a card number") if card_numbers.found_in(scheme.free_text(identifier)) else ""
