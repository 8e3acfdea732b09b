"""Data residency: the region that the customer wants, and what the countries of customer and seller allow.

Both countries bind the party that keeps the books, so the strictest rule prevails
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
    """Yield findings for the region that the customer wants, else its payer of record, else the first of the platform.

    Yields an Error if the platform does not offer the wanted region, and nothing if no region is known.
    """
    wanted = facts.preferences.data_residency or (facts.payer.preferences.data_residency if facts.payer else "")
    offered = {region for place in platform.data_regions for region in (place, _region_of(place, on))}
    if wanted and offered and wanted not in offered:
        message = _("billing data cannot be kept in %(region)s; this platform keeps it in %(known)s") % {
            "region": wanted,
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
    region = wanted or next(iter(platform.data_regions), "")
    if region:
        for country in dict.fromkeys([*facts.countries, platform.seller_country]):
            if row := data().jurisdiction(country, on):
                yield from _against(row, region, _region_of(region, on))


def _region_of(place: str, on: date) -> str:
    """Return the region of a country (`EU` for DE, `UK` for GB); a region is its own region."""
    row = data().jurisdiction(place, on)
    return row.residency_home if row else place


def _against(row: Jurisdiction, place: str, region: str) -> Iterator[Finding]:
    if region == row.residency_home or region in row.residency_regions:
        return
    condition = _condition(row, region)
    names = {"country": row.name, "region": place, "note": row.residency_note}
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
    """Return the condition under which records may be kept in another region; empty if there is none."""
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
