"""Requirements of a country on invoices, payment terms and records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from iso3166 import countries_by_alpha2

from billing.compliance.findings import Confidence

# with XK for Kosovo: user-assigned in ISO 3166-1, used by CLDR, the European Union and the IBAN registry
COUNTRIES = frozenset(countries_by_alpha2)
# exceptionally reserved in ISO 3166-1; stands for mandates and numbers of the Union itself
EUROPEAN_UNION = "EU"


class Group(StrEnum):
    """A group of columns with a common confidence."""

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
    """How a cap on net days binds: always; between parties of certain sizes; unless agreed otherwise; not at all."""

    HARD = "HARD"
    HARD_CONDITIONAL = "HARD_CONDITIONAL"
    DEROGABLE = "DEROGABLE"
    NONE = "NONE"


class RetentionStart(StrEnum):
    """The day from which the years of retention count; see `retention.clock_start`."""

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
    """A row of a country, in force from `effective_from` on; None if from before the data were gathered (2026-11-22).

    `invoice_languages` are ISO 639 codes, empty if every language is allowed. Records may be kept without conditions in
    `residency_regions`, elsewhere under `residency_conditions`.
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
        """Return the confidence in a group; None if the data have none."""
        return self.confidences.get(group)

    def firm(self, group: Group) -> bool:
        """Return whether rules of this group may reject instead of warn (docs/compliance.md, "Firm and soft rules")."""
        level = self.confidence(group)
        return level is not None and level is not Confidence.LOW and group not in self.unsourced and bool(self.sources)
