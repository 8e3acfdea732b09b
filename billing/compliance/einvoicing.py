"""How a customer receives e-invoices, `spec.preferences.eInvoicing`: the standard and where it delivers to."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
"""Names in the manifest, and of the attributes."""
# how Peppol writes an identifier in full; the prefix is the same for all
_PEPPOL_PREFIX = "iso6523-actorid-upis::"
# Peppol Policy for use of Identifiers: a scheme of ISO 6523 or of the EAS list, and up to 50 characters
_PEPPOL = re.compile(r"(\d{4}):([A-Za-z0-9][A-Za-z0-9._~-]{0,49})")
_TO_COMPANY, _TO_OFFICE = re.compile(r"[A-Z0-9]{7}"), re.compile(r"[A-Z0-9]{6}")


@dataclass(frozen=True, slots=True)
class EInvoicing:
    """A standard of `data/einvoice_standards.csv` and the identifiers by which it finds the customer; empty: none.

    `peppol_participant_id` is `scheme:identifier`; `pec_address` receives what has no Codice Destinatario.
    """

    standard: str = ""
    peppol_participant_id: str = ""
    leitweg_id: str = ""
    codice_destinatario: str = ""
    pec_address: str = ""

    def as_json(self) -> dict[str, Any]:
        """As in a manifest; what is not given is left out."""
        identifiers = {name: getattr(self, attribute) for name, attribute in IDENTIFIERS.items()}
        given = {name: value for name, value in identifiers.items() if value}
        return ({"standard": self.standard} if self.standard else {}) | ({"identifiers": given} if given else {})

    @classmethod
    def from_json(cls, sent: Mapping[str, Any]) -> "EInvoicing":
        """What `as_json` made that of."""
        identifiers = sent.get("identifiers", {})
        given = {attribute: identifiers[name] for name, attribute in IDENTIFIERS.items() if name in identifiers}
        return cls(standard=sent.get("standard", ""), **given)

    def identifier(self, name: Identifier) -> str:
        """The identifier of that name, as given."""
        return "" if name is Identifier.NONE else str(getattr(self, IDENTIFIERS[name.value]))

    def normalised(self) -> "EInvoicing":
        """The same, as the networks write it."""
        return EInvoicing(
            self.standard,
            self.peppol_participant_id.strip().removeprefix(_PEPPOL_PREFIX),
            self.leitweg_id.strip().upper(),
            self.codice_destinatario.strip().upper(),
            self.pec_address.strip(),
        )

    def causes(self, *, government: bool) -> Iterator[Cause]:
        """Every fault of what is given, after `normalised`; a government office has a shorter Codice Destinatario."""
        if self.standard and self.standard not in data().standards:
            known = ", ".join(sorted(data().standards))
            message = _("is not an e-invoice standard known here; known: %(known)s") % {"known": known}
            yield Cause(f"{FIELD}.standard", message, "FieldValueNotSupported")
        if self.peppol_participant_id and (fault := _peppol_fault(self.peppol_participant_id)):
            yield _identifier(Identifier.PEPPOL, fault)
        if self.leitweg_id and not leitweg.is_valid(self.leitweg_id):
            yield _identifier(Identifier.LEITWEG, _("is not a Leitweg-ID, or its check digits are wrong"))
        form = _TO_OFFICE if government else _TO_COMPANY
        if self.codice_destinatario and not form.fullmatch(self.codice_destinatario):
            message = _("must have 6 letters or digits for a government office, 7 for anybody else")
            yield _identifier(Identifier.CODICE_DESTINATARIO, message)
        if self.pec_address and email_addresses.causes([self.pec_address], PEC_ADDRESS):
            yield _identifier(PEC_ADDRESS, _("is not an e-mail address"))


def _identifier(name: str, message: str) -> Cause:
    return Cause(f"{FIELD}.identifiers.{name}", message)


def _peppol_fault(participant: str) -> str:
    match = _PEPPOL.fullmatch(participant)
    if not match:
        return _("must be a scheme of 4 digits, a colon and the identifier, as 0208:0428759497")
    scheme, identifier = match.groups()
    modules = data().peppol_schemes.get(scheme, ())
    if modules and not any(module.is_valid(identifier) for module in modules):
        return _("has an identifier that scheme %(scheme)s does not know: its form or check digits are wrong") % {
            "scheme": scheme
        }
    # what has check digits of its own is no card number by chance alone
    if not modules and card_numbers.found_in(identifier):
        return _("looks like a card number")
    return ""
