"""Retention of closed accounts on the platform, against the longest period that either country requires."""

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext as _

from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, Severity
from billing.compliance.jurisdictions import Group
from billing.compliance.retention import longest, years_of


def findings(facts: AccountFacts, platform: PlatformSettings, on: date) -> Iterator[Finding]:
    """Yield a Warning if the platform keeps accounts for less than the law requires.

    Never an Error, because an account cannot change that.
    """
    row = longest((*facts.countries, platform.seller_country), on, on)
    if row is None or platform.retention_years is None or platform.retention_years >= years_of(row):
        return
    message = _("%(country)s asks for records of %(years)d years; this platform keeps closed accounts for %(kept)d") % {
        "country": row.name,
        "years": years_of(row),
        "kept": platform.retention_years,
    }
    yield Finding(
        Severity.WARNING,
        "spec.preferences.country",
        message,
        f"retention.{row.country}",
        row.effective_from,
        row.confidence(Group.RETENTION),
        ";".join(row.sources),
    )
