"""Apply the regional rules to the spec of an account: which errors refuse it, and which keep it Incomplete."""

from dataclasses import replace
from datetime import date

from django.conf import settings

from billing.compliance.check import check
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, Severity
from billing.features import COMPLIANCE_ENFORCEMENT, ENFORCE
from billing.models import BillingAccount
from billing.services.account_spec import AccountSpec
from milo import feature_gates
from milo.errors import Cause

MISSING = "FieldValueRequired"


def platform() -> PlatformSettings:
    """Return the country of the seller, the data regions and the retention years, from the settings."""
    return PlatformSettings(
        settings.MILO_PLATFORM_COUNTRY, tuple(settings.MILO_DATA_REGIONS), settings.MILO_RETENTION_YEARS
    )


def facts_of(account: BillingAccount, name: str = "", spec: AccountSpec | None = None) -> AccountFacts:
    """Return the facts of an account, by default with its present spec, and those of its payer of record."""
    facts = (spec or AccountSpec.of(account)).facts(name)
    return replace(facts, payer=AccountSpec.of(account.paid_by).facts()) if account.paid_by else facts


def errors(facts: AccountFacts, on: date) -> list[Finding]:
    """Return the findings of severity Error by the rules in force on the day `on` (UTC).

    There are none unless the feature gate ComplianceEnforcement is `enforce`: what refuses asks here.
    """
    if feature_gates.mode(COMPLIANCE_ENFORCEMENT) != ENFORCE:
        return []
    return [finding for finding in check(facts, platform(), on) if finding.severity is Severity.ERROR]


def refusals(
    spec: AccountSpec,
    on: date,
    before: AccountSpec | None = None,
    *,
    whole: bool = False,
    of: BillingAccount | None = None,
) -> list[Cause]:
    """Return every fault of the values in `spec`, and the causes of `introduced` for fields without such a fault."""
    causes = spec.causes(on, before)
    faulty = {cause.field for cause in causes}
    return causes + [cause for cause in introduced(spec, on, before, whole=whole, of=of) if cause.field not in faulty]


def introduced(
    spec: AccountSpec,
    on: date,
    before: AccountSpec | None = None,
    *,
    whole: bool = False,
    of: BillingAccount | None = None,
) -> list[Cause]:
    """Return a cause for each rule that `spec` breaks and `before` did not; the cause names the rule.

    `of` is the account that is revised, whose payer of record counts. A rule that `before` breaks as well refuses
    nothing: a new rule breaks no account by itself, the drift report lists it. A missing value refuses only if `whole`;
    else it keeps the account Incomplete.
    """
    account = of or BillingAccount()
    broken = errors(facts_of(account, spec=before), on) if before else []
    return [
        finding.cause()
        for finding in errors(facts_of(account, spec=spec), on)
        if finding not in broken and (whole or finding.reason != MISSING)
    ]
