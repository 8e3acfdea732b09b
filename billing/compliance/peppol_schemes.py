"""Identifier schemes of the Peppol network, one row of `data/peppol_schemes.csv` each.

The rows are OpenPeppol's code list of participant identifier schemes and, with `registrable` N, the schemes that only
the list of electronic address schemes (EAS) of EN 16931 has.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from billing.compliance.check_digits import Check, check_named
from billing.compliance.findings import Confidence
from billing.compliance.table import Row

COLUMNS = "scheme name pattern stdnum_module example effective_to registrable confidence source".split()
# Peppol Policy for use of Identifiers: what a scheme may hold that says nothing of its form
_ANY = re.compile("[A-Z0-9][A-Z0-9._~-]{0,49}", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class PeppolScheme:
    """A scheme; `effective_to` is the last day on which Peppol knows it, None while it does.

    Each group of `form` is a number of its own, which the check at the same place answers for; without groups the
    one check answers for the whole identifier. A form is None where the scheme does not publish one.
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
        """Whether Peppol has removed the scheme by a day."""
        return self.effective_to is not None and self.effective_to < on

    def accepts(self, identifier: str) -> bool:
        """Whether `identifier` has exactly the characters of the scheme, upper or lower case, and its check digits."""
        match = (self.form or _ANY).fullmatch(identifier)
        if match is None:
            return False
        numbers = match.groups() if match.re.groups else (identifier,)
        return all(number is None or check(number.upper()) for number, check in zip(numbers, self.checks, strict=False))

    def free_text(self, identifier: str) -> str:
        """The part of an accepted identifier that its owner chooses, such as the suffix of a French address."""
        if self.form is None:
            return identifier
        match = self.form.fullmatch(identifier)
        if match is None or not match.re.groups:
            return ""
        start = max(match.end(group) for group in range(1, match.re.groups + 1))
        return identifier[start:]


def peppol_scheme(row: Row, sources: Collection[str]) -> PeppolScheme:
    """A validated row; `sources` are the keys it may refer to. Raises `BrokenData`, also for an invalid example."""
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
