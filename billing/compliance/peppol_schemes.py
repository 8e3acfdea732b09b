"""Identifier schemes of the Peppol network: the rows of `data/peppol_schemes.csv`.

The rows are OpenPeppol's code list of participant identifier schemes and, with `registrable` N, the schemes that are
only in the list of electronic address schemes (EAS) of EN 16931.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from billing.compliance.check_digits import Check, check_named
from billing.compliance.findings import Confidence
from billing.compliance.table import Row

COLUMNS = "scheme name pattern stdnum_module example effective_to registrable confidence source".split()
# identifiers of schemes that publish no form (Peppol Policy for use of Identifiers)
_ANY = re.compile("[A-Z0-9][A-Z0-9._~-]{0,49}", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class PeppolScheme:
    """A scheme. `effective_to` is its last day in the code list, None while it is in it.

    `form` is None if the scheme publishes none. Each group of `form` is a number that the check at the same position in
    `checks` validates; without groups, the only check validates the whole identifier.
    """

    scheme: str
    name: str
    form: re.Pattern[str] | None
    checks: tuple[Check, ...]
    example: str
    effective_to: date | None
    registrable: bool
    confidence: Confidence
    source: str

    def retired(self, on: date) -> bool:
        """Return whether Peppol had removed the scheme before a day."""
        return self.effective_to is not None and self.effective_to < on

    def accepts(self, identifier: str) -> bool:
        """Return whether `identifier` has the form (in upper or lower case) and the check digits of the scheme."""
        match = (self.form or _ANY).fullmatch(identifier)
        if match is None:
            return False
        numbers = match.groups() if match.re.groups else (identifier,)
        return all(number is None or check(number.upper()) for number, check in zip(numbers, self.checks, strict=False))

    def free_text(self, identifier: str) -> str:
        """Return the part of an accepted identifier that its owner chose, such as the suffix of a French address."""
        if self.form is None:
            return identifier
        match = self.form.fullmatch(identifier)
        if match is None or not match.re.groups:
            return ""
        start = max(match.end(group) for group in range(1, match.re.groups + 1))
        return identifier[start:]


def peppol_scheme(row: Row, sources: Collection[str]) -> PeppolScheme:
    """Return a validated row. It may refer to keys of `sources`. Raises `BrokenData`, also for an invalid example."""
    scheme = PeppolScheme(
        scheme=row.required("scheme"),
        name=row.required("name"),
        form=_form(row),
        checks=tuple(check_named(row, "stdnum_module", name) for name in row.items("stdnum_module", ";")),
        example=row.text("example"),
        effective_to=row.optional_day("effective_to"),
        registrable=row.known("registrable", ("Y", "N")) == "Y",
        confidence=row.member("confidence", Confidence),
        source=";".join(row.items("source", ";", sources)),
    )
    if not re.fullmatch(r"\d{4}", scheme.scheme, re.ASCII):
        raise row.broken("scheme", f"{scheme.scheme!r} is no scheme of 4 digits")
    if scheme.form and len(scheme.checks) > max(scheme.form.groups, 1):
        raise row.broken("stdnum_module", "has more checks than the pattern has numbers")
    if scheme.form and not scheme.accepts(scheme.example):
        raise row.broken("example", f"{scheme.example!r} is none")
    return scheme


def _form(row: Row) -> re.Pattern[str] | None:
    pattern = row.text("pattern")
    try:
        return re.compile(pattern, re.IGNORECASE | re.ASCII) if pattern else None
    except re.error as error:
        raise row.broken("pattern", str(error)) from error
