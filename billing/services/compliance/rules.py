"""The rules of regions where an account is configured: which errors refuse, and which keep it Incomplete."""

from datetime import date

from django.conf import settings

from billing.compliance.check import check
from billing.compliance.facts import PlatformSettings
from billing.compliance.findings import Finding, Severity
from billing.services.account_spec import AccountSpec
from milo.errors import Cause

MISSING = "FieldValueRequired"


def platform() -> PlatformSettings:
    """Who sells and keeps the books, as the settings say."""
    return PlatformSettings(
        settings.MILO_PLATFORM_COUNTRY, tuple(settings.MILO_DATA_REGIONS), settings.MILO_RETENTION_YEARS
    )


def errors(spec: AccountSpec, on: date) -> list[Finding]:
    """The Errors of the rules in force `on` a day."""
    return [finding for finding in check(spec.facts(), platform(), on) if finding.severity is Severity.ERROR]


def refusals(spec: AccountSpec, on: date, before: AccountSpec | None = None, *, whole: bool = False) -> list[Cause]:
    """Every fault of `spec` that is given, and whatever else of it `introduced` names."""
    causes = spec.causes(on, before)
    faulty = {cause.field for cause in causes}
    return causes + [cause for cause in introduced(spec, on, before, whole=whole) if cause.field not in faulty]


def introduced(spec: AccountSpec, on: date, before: AccountSpec | None = None, *, whole: bool = False) -> list[Cause]:
    """A cause for each rule that `spec` breaks and `before` did not, with the rule that decided.

    What broke before is for the drift report: a new rule breaks no account by itself. What a rule misses refuses only
    where `whole`; elsewhere it keeps the account Incomplete.
    """
    broken = errors(before, on) if before else []
    return [
        finding.cause()
        for finding in errors(spec, on)
        if finding not in broken and (whole or finding.reason != MISSING)
    ]
