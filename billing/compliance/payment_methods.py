"""Payment methods: dated rows of `data/payment_methods.csv`, and the areas of `data/payment_areas.csv`."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from billing.compliance.findings import Confidence
from billing.compliance.jurisdictions import COUNTRIES
from billing.compliance.table import Row
from billing.currencies import ALLOWED

COLUMNS = (
    "method effective_from family countries_payer countries_business_note currencies recurring "
    "required_reference_fields optional_display_fields forbidden_fields validation limits notes confidence source"
).split()
AREA_COLUMNS = "area country effective_from confidence source".split()
FAMILIES = (
    "bank_debit", "bank_redirect", "bank_transfer", "bill_presentment", "card", "paper", "terms", "voucher", "wallet"
)  # fmt: skip
ANY, DOMESTIC = "*", "domestic"
# fields of the payment profile whose name is fixed by the specification
_SPECIFIED = {"card": "creditCard"}


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A payment method; `member` is its field in the payment profile (`sepaDebitCore`).

    `countries` (of the payer) and `currencies` are None if all are allowed. With `domestic_currency` only the currency
    of the payer's country is allowed. Exactly one field of each group in `required` must be given.
    """

    name: str
    member: str
    effective_from: date | None
    family: str
    countries: frozenset[str] | None
    currencies: frozenset[str] | None
    domestic_currency: bool
    recurring: bool
    business_only: bool
    required: tuple[tuple[str, ...], ...]
    optional: tuple[str, ...]
    forbidden: tuple[str, ...]
    confidence: Confidence
    source: str

    @property
    def firm(self) -> bool:
        """Return whether rules of this row may reject instead of warn (docs/compliance.md, "Firm and soft rules")."""
        return self.confidence is not Confidence.LOW and bool(self.source)

    @property
    def fields(self) -> frozenset[str]:
        """Return all fields that the object of the method may have."""
        return frozenset(name for group in self.required for name in group) | frozenset(self.optional)


@dataclass(frozen=True, slots=True)
class AreaCountry:
    """A country or territory of a payment area, such as SEPA, and the day on which it joined."""

    area: str
    country: str
    effective_from: date | None


def area_country(row: Row, sources: Collection[str]) -> AreaCountry:
    """Return a validated row of `data/payment_areas.csv`. Raises `BrokenData`."""
    row.member("confidence", Confidence)
    row.items("source", ";", sources)
    return AreaCountry(row.required("area"), row.known("country", COUNTRIES), row.optional_day("effective_from"))


def payment_methods(
    row: Row, sources: Collection[str], areas: Mapping[str, Iterable[AreaCountry]]
) -> Iterator[PaymentMethod]:
    """Yield the method of a validated row, once for each day on which countries joined its area.

    The row may refer to keys of `sources`. Raises `BrokenData`.
    """
    members = areas.get(row.required("countries_payer"))
    method = _payment_method(row, sources, in_area=members is not None)
    if members is None:
        yield method
        return
    start = method.effective_from or date.min
    days = {each.effective_from or date.min for each in members} | {start}
    for day in sorted(day for day in days if day >= start):
        countries = frozenset(each.country for each in members if (each.effective_from or date.min) <= day)
        yield replace(method, effective_from=None if day == date.min else day, countries=countries)


def _payment_method(row: Row, sources: Collection[str], *, in_area: bool) -> PaymentMethod:
    name, currencies = row.required("method"), row.required("currencies")
    if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name):
        raise row.broken("method", f"{name!r} is no name in snake case")
    listed = None if currencies in (ANY, DOMESTIC) else frozenset(row.items("currencies", "|", ALLOWED))
    countries = row.required("countries_payer")
    first, *rest = name.split("_")
    return PaymentMethod(
        name=name,
        member=_SPECIFIED.get(name, first + "".join(word.capitalize() for word in rest)),
        effective_from=row.optional_day("effective_from"),
        family=row.known("family", FAMILIES),
        countries=None if countries == ANY or in_area else frozenset(row.items("countries_payer", "|", COUNTRIES)),
        currencies=listed,
        domestic_currency=currencies == DOMESTIC,
        recurring=_recurring(row),
        business_only="non-consumer" in row.text("validation"),
        required=_required(row),
        optional=_fields(row, "optional_display_fields"),
        forbidden=_fields(row, "forbidden_fields"),
        confidence=row.member("confidence", Confidence),
        source=";".join(row.items("source", ";", sources)),
    )


def _recurring(row: Row) -> bool:
    word = row.required("recurring").split(" ")[0]
    if word not in ("yes", "no", "partly", "n/a"):
        raise row.broken("recurring", f"{word!r} is unknown")
    return word == "yes"


def _required(row: Row) -> tuple[tuple[str, ...], ...]:
    """Parse groups of alternatives: `a (a remark);b or c` becomes `(("a",), ("b", "c"))`.

    An alternative in capitals, as in `qrReference or RF`, is another form of the same field, so it is left out.
    """
    cells = re.sub(r"\s*\([^)]*\)", "", row.required("required_reference_fields"))
    groups = tuple(tuple(name for name in cell.split(" or ") if not name.isupper()) for cell in cells.split(";"))
    _refuse_odd_names(row, "required_reference_fields", [name for group in groups for name in group])
    return groups


def _fields(row: Row, column: str) -> tuple[str, ...]:
    names = row.items(column, ";")
    _refuse_odd_names(row, column, names)
    return names


def _refuse_odd_names(row: Row, column: str, names: Collection[str]) -> None:
    if wrong := [name for name in names if not re.fullmatch(r"[a-z][A-Za-z0-9]*", name)]:
        raise row.broken(column, f"{wrong[0]!r} is no field name in camel case")
