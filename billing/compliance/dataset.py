"""The data files, validated and loaded once per process."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

from billing.compliance.jurisdiction_rows import COLUMNS as JURISDICTION_COLUMNS
from billing.compliance.jurisdiction_rows import home_region, jurisdiction
from billing.compliance.jurisdictions import EUROPEAN_UNION, Jurisdiction
from billing.compliance.mandates import MANDATE_COLUMNS, STANDARD_COLUMNS, Mandate, Standard, mandate, standard
from billing.compliance.payment_methods import AREA_COLUMNS, PaymentMethod, area_country, payment_methods
from billing.compliance.payment_methods import COLUMNS as METHOD_COLUMNS
from billing.compliance.peppol_schemes import COLUMNS as PEPPOL_COLUMNS
from billing.compliance.peppol_schemes import PeppolScheme, peppol_scheme
from billing.compliance.table import Row, read
from billing.compliance.tax_numbers import COLUMNS as TAX_NUMBER_COLUMNS
from billing.compliance.tax_numbers import TaxNumber, tax_number
from billing.compliance.weekends import COLUMNS as WEEKEND_COLUMNS
from billing.compliance.weekends import Weekend, weekend

DATA = Path(__file__).with_name("data")
SOURCE_COLUMNS = ("source", "citation")
# a format of invoices, but no e-invoicing standard
PDF = "PDF"
SATURDAY_AND_SUNDAY = frozenset({5, 6})


class Dated(Protocol):
    @property
    def effective_from(self) -> date | None: ...


D = TypeVar("D", bound=Dated)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The content of all data files. Tuples of dated rows are sorted by date, oldest first.

    Keys: `sources` the key of a citation; `jurisdictions`, `mandates`, `tax_numbers` and `weekends` the country (ISO
    3166-1 alpha-2); `methods` the field in the payment profile; `peppol_schemes` the 4 digits. `regions` are the codes
    of data residency.
    """

    sources: Mapping[str, str]
    standards: Mapping[str, Standard]
    formats: frozenset[str]
    jurisdictions: Mapping[str, tuple[Jurisdiction, ...]]
    regions: frozenset[str]
    mandates: Mapping[str, tuple[Mandate, ...]]
    methods: Mapping[str, tuple[PaymentMethod, ...]]
    peppol_schemes: Mapping[str, PeppolScheme]
    tax_numbers: Mapping[str, tuple[TaxNumber, ...]]
    weekends: Mapping[str, tuple[Weekend, ...]]

    def jurisdiction(self, country: str, on: date) -> Jurisdiction | None:
        """Return the row of a country (ISO 3166-1 alpha-2) in force on a day; None if there is none."""
        return _in_force(self.jurisdictions.get(country, ()), on)

    def method(self, member: str, on: date) -> PaymentMethod | None:
        """Return the row of a method, by its field in the payment profile, in force on a day; None if there is none."""
        return _in_force(self.methods.get(member, ()), on)

    def is_weekend(self, country: str, day: date) -> bool:
        """Return whether `day` is on the weekend of `country` at that time. Saturday and Sunday by default."""
        row = _in_force(self.weekends.get(country, ()), day)
        return day.weekday() in (row.days if row else SATURDAY_AND_SUNDAY)

    def tax_numbers_of(self, country: str, on: date) -> tuple[TaxNumber, ...]:
        """Return the kinds of tax number of a country on a day, in the order in which they are tried.

        The first is the country's default. Members of the European Union have the Union's kinds after their own.
        """
        row = self.jurisdiction(country, on)
        shared = self.tax_numbers[EUROPEAN_UNION] if row and row.in_eu else ()
        started = {}
        for each in (*self.tax_numbers.get(country, ()), *shared):
            if each.effective_from is None or each.effective_from <= on:
                # a later row of the same name replaces the earlier one in its place
                started[each.name] = each
        return tuple(started.values())


@cache
def data() -> Dataset:
    """Return the files shipped with this package."""
    return load(DATA)


def load(folder: Path) -> Dataset:
    """Load and validate the files of `folder`. Raises `BrokenData` for the first invalid cell."""
    sources = dict(read(folder / "sources.tsv", SOURCE_COLUMNS, ["source"], _source))
    standards = _standards(folder / "einvoice_standards.csv", sources)
    formats = frozenset(standards) | {PDF}
    countries = folder / "jurisdictions.csv"
    regions = frozenset(read(countries, JURISDICTION_COLUMNS, ["country", "effective_from"], home_region))
    jurisdictions = read(
        countries,
        JURISDICTION_COLUMNS,
        ["country", "effective_from"],
        lambda row: jurisdiction(row, sources, formats, regions),
    )
    mandates = read(
        folder / "einvoice_mandates.csv",
        MANDATE_COLUMNS,
        ["country", "standard", "scope", "effective_from"],
        lambda row: mandate(row, sources, standards),
    )
    members = read(
        folder / "payment_areas.csv", AREA_COLUMNS, ["area", "country"], lambda row: area_country(row, sources)
    )
    areas = _by_date(members, lambda each: each.area)
    methods = read(
        folder / "payment_methods.csv",
        METHOD_COLUMNS,
        ["method", "effective_from"],
        lambda row: tuple(payment_methods(row, sources, areas)),
    )
    schemes = read(folder / "peppol_schemes.csv", PEPPOL_COLUMNS, ["scheme"], lambda row: peppol_scheme(row, sources))
    tax_numbers: dict[str, list[TaxNumber]] = defaultdict(list)
    for number in read(
        folder / "tax_numbers.csv",
        TAX_NUMBER_COLUMNS,
        ["country", "name", "effective_from"],
        lambda row: tax_number(row, sources),
    ):
        tax_numbers[number.country].append(number)
    weekends = read(
        folder / "weekends.csv", WEEKEND_COLUMNS, ["country", "effective_from"], lambda row: weekend(row, sources)
    )
    return Dataset(
        sources=MappingProxyType(sources),
        standards=MappingProxyType(standards),
        formats=formats,
        jurisdictions=_by_date(jurisdictions, lambda each: each.country),
        regions=regions,
        mandates=_by_date(mandates, lambda each: each.country),
        methods=_by_date(chain.from_iterable(methods), lambda each: each.member),
        peppol_schemes=MappingProxyType({each.scheme: each for each in schemes}),
        tax_numbers=MappingProxyType({country: tuple(rows) for country, rows in tax_numbers.items()}),
        weekends=_by_date(weekends, lambda each: each.country),
    )


def _source(row: Row) -> tuple[str, str]:
    return row.required("source"), row.required("citation")


def _standards(path: Path, sources: Collection[str]) -> dict[str, Standard]:
    names = read(path, STANDARD_COLUMNS, ["standard"], lambda row: row.required("standard"))
    standards = read(path, STANDARD_COLUMNS, ["standard"], lambda row: standard(row, sources, names))
    return {each.name: each for each in standards}


def _by_date(rows: Iterable[D], key: Callable[[D], str]) -> Mapping[str, tuple[D, ...]]:
    groups: dict[str, list[D]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.effective_from or date.min):
        groups[key(row)].append(row)
    return MappingProxyType({name: tuple(group) for name, group in groups.items()})


def _in_force(rows: Iterable[D], on: date) -> D | None:
    started = [row for row in rows if row.effective_from is None or row.effective_from <= on]
    return started[-1] if started else None
