"""E-invoicing mandates (`data/einvoice_mandates.csv`) and standards (`data/einvoice_standards.csv`)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from billing.compliance.findings import Confidence
from billing.compliance.jurisdictions import COUNTRIES, EUROPEAN_UNION
from billing.compliance.table import Row


class Scope(StrEnum):
    """The supplies, or the capability, that a mandate covers."""

    ALL_DOMESTIC = "ALL_DOMESTIC"
    B2B_CROSS_BORDER = "B2B_CROSS_BORDER"
    B2B_DOMESTIC = "B2B_DOMESTIC"
    B2B_ON_REQUEST = "B2B_ON_REQUEST"
    B2G = "B2G"
    CAPABILITY = "CAPABILITY"
    RECEIVE = "RECEIVE"
    REPORTING = "REPORTING"
    SOFTWARE = "SOFTWARE"


class Status(StrEnum):
    LAW = "LAW"
    DRAFT = "DRAFT"
    ANNOUNCED = "ANNOUNCED"
    VERIFY = "VERIFY"


class Kind(StrEnum):
    """What a mandate requires: to exchange, clear or report e-invoices, a capability, or certified software."""

    CAPABILITY = "CAPABILITY"
    CLEARANCE = "CLEARANCE"
    EXCHANGE = "EXCHANGE"
    REPORTING = "REPORTING"
    SOFTWARE = "SOFTWARE"


class Identifier(StrEnum):
    """The fields of `eInvoicing.identifiers` to which a standard delivers."""

    NONE = ""
    PEPPOL = "peppolParticipantId"
    LEITWEG = "leitwegId"
    CODICE_DESTINATARIO = "codiceDestinatario"


MANDATE_COLUMNS = "country standard scope applies_to effective_from effective_to status kind sourced source".split()
STANDARD_COLUMNS = "standard satisfied_by identifier confidence source".split()


@dataclass(frozen=True, slots=True)
class Mandate:
    """A mandate of a country or the EU. In force from `effective_from` to `effective_to`, both included."""

    country: str
    standard: str
    scope: Scope
    applies_to: str
    effective_from: date
    effective_to: date | None
    status: Status
    kind: Kind
    source: str
    sourced: bool

    @property
    def rule(self) -> str:
        return f"einvoice.{self.country}.{self.standard}.{self.scope}.{self.effective_from.isoformat()}"

    def ended(self, on: date) -> bool:
        return self.effective_to is not None and self.effective_to < on

    def in_force(self, on: date) -> bool:
        return self.status is Status.LAW and self.effective_from <= on and not self.ended(on)


@dataclass(frozen=True, slots=True)
class Standard:
    """An e-invoicing standard, the other standards that satisfy its mandates, and the identifier it delivers to."""

    name: str
    satisfied_by: frozenset[str]
    identifier: Identifier
    confidence: Confidence
    source: str


def mandate(row: Row, sources: Collection[str], standards: Collection[str]) -> Mandate:
    """Return a validated row. It may refer to keys of `sources` and `standards`. Raises `BrokenData`."""
    start, end = row.day("effective_from"), row.optional_day("effective_to")
    if end is not None and end < start:
        raise row.broken("effective_to", "is before effective_from")
    source = row.text("source")
    if source and source not in sources:
        raise row.broken("source", f"{source!r} is unknown")
    sourced = row.known("sourced", ("Y", "N")) == "Y"
    if sourced and not source:
        raise row.broken("source", "is empty in a row that is sourced")
    return Mandate(
        country=row.known("country", COUNTRIES | {EUROPEAN_UNION}),
        standard=row.known("standard", standards),
        scope=row.member("scope", Scope),
        applies_to=row.required("applies_to"),
        effective_from=start,
        effective_to=end,
        status=row.member("status", Status),
        kind=row.member("kind", Kind),
        source=source,
        sourced=sourced,
    )


def standard(row: Row, sources: Collection[str], standards: Collection[str]) -> Standard:
    """Return a validated row of `data/einvoice_standards.csv`. Raises `BrokenData`."""
    return Standard(
        name=row.known("standard", standards),
        satisfied_by=frozenset(row.items("satisfied_by", "|", standards)),
        identifier=row.member("identifier", Identifier) if row.text("identifier") else Identifier.NONE,
        confidence=row.member("confidence", Confidence),
        source=";".join(row.items("source", ";", sources)),
    )
