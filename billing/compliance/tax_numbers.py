"""Kinds of tax number: the rows of `data/tax_numbers.csv`."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from billing.compliance.check_digits import Check, check_named
from billing.compliance.findings import Confidence
from billing.compliance.jurisdictions import COUNTRIES, EUROPEAN_UNION
from billing.compliance.table import Row

COLUMNS = (
    "country effective_from schemes name prefix form check_digits valid_sample invalid_sample confidence sources"
).split()


class Scheme(StrEnum):
    """The purpose of a number. `OTHER` is a tax office's own number, or one whose kind its form does not reveal."""

    VAT = "VAT"
    GST = "GST"
    NATIONAL_BUSINESS_ID = "NationalBusinessID"
    PERSONAL_ID = "PersonalID"
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class TaxNumber:
    """A kind of number in a country, from `effective_from` on; None if from before the data were gathered.

    The first of `schemes` is the default; the number may also be declared as one of the others (Australia registers GST
    under the business number). `form` matches the number without separators and `prefix`. Its optional group `checked`
    is the part with the check digits, its optional group `base` the part that identifies the registration.
    """

    country: str
    effective_from: date | None
    schemes: tuple[Scheme, ...]
    name: str
    prefix: str
    form: re.Pattern[str]
    checks: tuple[Check, ...]
    valid_sample: str
    invalid_sample: str
    confidence: Confidence
    sources: tuple[str, ...]

    @property
    def scheme(self) -> Scheme:
        """Return the scheme of the number if none is declared."""
        return self.schemes[0]

    @property
    def firm(self) -> bool:
        """Return whether malformed numbers are Errors, not Warnings (docs/compliance.md, "Firm and soft rules")."""
        return self.confidence is not Confidence.LOW

    def base(self, number: str) -> str:
        """Return the part of `number` that identifies the registration; empty if form or check digits do not match.

        `number` has no separators; its prefix may be missing.
        """
        match = self.form.fullmatch(number.removeprefix(self.prefix))
        if not match:
            return ""
        groups = match.groupdict()
        base = groups.get("base") or match[0]
        checked = groups.get("checked") or base
        return base if not self.checks or any(holds(checked) for holds in self.checks) else ""

    def claims(self, number: str) -> bool:
        """Return whether `number` has the prefix and the form; check digits are ignored."""
        return bool(
            self.prefix and number.startswith(self.prefix) and self.form.fullmatch(number.removeprefix(self.prefix))
        )


def tax_number(row: Row, sources: Collection[str]) -> TaxNumber:
    """Return a validated row. Raises `BrokenData`.

    Only tests check the samples: some modules of python-stdnum read large tables with their first number.
    """
    prefix = row.text("prefix")
    if not re.fullmatch("[A-Z]{0,3}", prefix):
        raise row.broken("prefix", f"{prefix!r} is no prefix of at most 3 capitals")
    return TaxNumber(
        country=row.known("country", COUNTRIES | {EUROPEAN_UNION}),
        effective_from=row.optional_day("effective_from"),
        schemes=_schemes(row),
        name=row.required("name"),
        prefix=prefix,
        form=_form(row),
        checks=tuple(check_named(row, "check_digits", name) for name in row.items("check_digits", "|")),
        valid_sample=row.required("valid_sample"),
        invalid_sample=row.text("invalid_sample"),
        confidence=row.member("confidence", Confidence),
        sources=row.items("sources", ";", sources),
    )


def _schemes(row: Row) -> tuple[Scheme, ...]:
    schemes = tuple(Scheme(name) for name in row.items("schemes", "|", [str(scheme) for scheme in Scheme]))
    if not schemes:
        raise row.broken("schemes", "is empty")
    return schemes


def _form(row: Row) -> re.Pattern[str]:
    try:
        # numbers are normalized to ASCII digits before; other scripts must not match
        return re.compile(row.required("form"), re.ASCII)
    except re.error as error:
        raise row.broken("form", str(error)) from error
