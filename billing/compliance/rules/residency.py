"""Where billing data are kept: what the customer asks for, and what the countries of both sides allow.

Residency binds whoever keeps the books, so that each country has its say and the strictest prevails
(docs/compliance.md, "Residency and retention").
"""

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext as _

from billing.compliance.dataset import data
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, Severity, error_if
from billing.compliance.jurisdictions import Group, Jurisdiction, ResidencyMode

FIELD = "spec.preferences.dataResidency"


def findings(facts: AccountFacts, platform: PlatformSettings, on: date) -> Iterator[Finding]:
    """Findings for the region asked for, or else the platform's first one; none where neither is given."""
    asked = facts.preferences.data_residency
    offered = {region for place in platform.data_regions for region in (place, _region_of(place, on))}
    if asked and offered and asked not in offered:
        message = _("billing data cannot be kept in %(region)s; this platform keeps it in %(known)s") % {
            "region": asked,
            "known": ", ".join(platform.data_regions),
        }
        yield Finding(
            Severity.ERROR,
            FIELD,
            message,
            "residency.platform",
            source="platform settings",
            reason="FieldValueNotSupported",
        )
        return
    region = asked or next(iter(platform.data_regions), "")
    if region:
        for country in dict.fromkeys([facts.country, platform.seller_country]):
            if row := data().jurisdiction(country, on):
                yield from _against(row, region, _region_of(region, on))


def _region_of(place: str, on: date) -> str:
    """The region of a country (`EU` for DE, `UK` for GB); a region is its own."""
    row = data().jurisdiction(place, on)
    return row.residency_home if row else place


def _against(row: Jurisdiction, asked: str, region: str) -> Iterator[Finding]:
    if region == row.residency_home or region in row.residency_regions:
        return
    condition = _condition(row, region)
    names = {"country": row.name, "region": asked, "note": row.residency_note}
    if condition == "ANY":
        return
    if condition in ("ANY_WITH_SAFEGUARD", "US_DPF"):
        message = _("records of %(country)s may be kept in %(region)s only with safeguards of transfer: %(note)s")
        yield _finding(row, Severity.INFO, message % names)
    elif condition or row.residency_mode in (ResidencyMode.FREE, ResidencyMode.SAFEGUARDS):
        message = _("records of %(country)s may be kept in %(region)s only on conditions: %(note)s")
        yield _finding(row, Severity.WARNING, message % names)
    else:
        message = _("records of %(country)s may not be kept in %(region)s: %(note)s")
        yield _finding(row, error_if(row.firm(Group.RESIDENCY)), message % names)


def _condition(row: Jurisdiction, region: str) -> str:
    """The condition under which records may be kept in a region that is not free; empty where there is none."""
    for code in row.residency_conditions:
        if code.startswith("US_DPF"):
            if region == "US":
                return "US_DPF"
        else:
            return code
    return ""


def _finding(row: Jurisdiction, severity: Severity, message: str) -> Finding:
    return Finding(
        severity,
        FIELD,
        message,
        f"residency.{row.country}",
        row.effective_from,
        row.confidence(Group.RESIDENCY),
        ";".join(row.sources),
    )
