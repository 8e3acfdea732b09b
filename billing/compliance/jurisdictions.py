"""What a country asks of invoices, terms and records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from iso3166 import countries_by_alpha2

from billing.compliance.findings import Confidence

# with XK, which ISO 3166-1 leaves to its users, and CLDR, the European Union and the registry of IBANs use for Kosovo
COUNTRIES = frozenset(countries_by_alpha2)
# reserved in ISO 3166-1, for mandates and numbers of the Union itself
EUROPEAN_UNION = "EU"


class Group(StrEnum):
    """A group of columns that were researched together."""

    TAX_REQUIREMENT = "req"
    EINVOICE = "einv"
    RETENTION = "ret"
    RESIDENCY = "res"
    TERMS = "net"
    LANGUAGE = "lang"


class TaxIdRequirement(StrEnum):
    REQUIRED = "REQUIRED"
    CONDITIONAL = "CONDITIONAL"
    OPTIONAL = "OPTIONAL"


class TermCap(StrEnum):
    """How a cap on net days binds: always, between parties of certain sizes, unless agreed otherwise, not at all."""

    HARD = "HARD"
    HARD_CONDITIONAL = "HARD_CONDITIONAL"
    DEROGABLE = "DEROGABLE"
    NONE = "NONE"


class RetentionStart(StrEnum):
    """From which day the years of retention count."""

    CY_END = "CY_END"
    CY_END_AFTER_TAX_DUE = "CY_END_AFTER_TAX_DUE"
    FY_END = "FY_END"
    FY_NEXT_JUL1 = "FY_NEXT_JUL1"
    RECORD = "RECORD"
    RETURN_DUE = "RETURN_DUE"
    RETURN_FILED = "RETURN_FILED"
    TAX_PERIOD_END = "TAX_PERIOD_END"


class ResidencyMode(StrEnum):
    FREE = "FREE"
    SAFEGUARDS = "SAFEGUARDS"
    REGION_DEFAULT = "REGION_DEFAULT"
    LOCAL_ACCESS = "LOCAL_ACCESS"
    LOCAL_COPY = "LOCAL_COPY"
    LOCAL_ONLY_IF_THRESHOLD = "LOCAL_ONLY_IF_THRESHOLD"


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """A country's row, from `effective_from` on (None: since before the data were gathered, 2026-11-22).

    `invoice_languages` are ISO 639 codes, empty where any language will do; `residency_regions` are where
    records may be kept freely, `residency_conditions` under which condition elsewhere.
    """

    country: str
    effective_from: date | None
    name: str
    in_eu: bool
    currency: str
    tax_id_name: str
    tax_id_requirement: TaxIdRequirement
    einvoice_formats: tuple[str, ...]
    peppol_schemes: tuple[str, ...]
    default_languages: tuple[str, ...]
    language_rule: str
    invoice_languages: frozenset[str]
    retention_years: int
    retention_books_years: int | None
    retention_start: RetentionStart
    residency_mode: ResidencyMode
    residency_home: str
    residency_regions: frozenset[str]
    residency_conditions: tuple[str, ...]
    residency_note: str
    term_cap: TermCap
    max_net_days: int | None
    max_net_days_public: int | None
    max_net_note: str
    confidences: Mapping[Group, Confidence]
    unsourced: frozenset[Group]
    sources: tuple[str, ...]

    def confidence(self, group: Group) -> Confidence | None:
        """How well a group is known; None where the data record no confidence for it."""
        return self.confidences.get(group)

    def firm(self, group: Group) -> bool:
        """Whether a rule from this group may reject, and not only warn (docs/compliance.md, "Firm and soft rules")."""
        known = self.confidence(group)
        return known is not None and known is not Confidence.LOW and group not in self.unsourced and bool(self.sources)
