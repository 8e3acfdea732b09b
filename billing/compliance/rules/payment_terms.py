"""Caps on net days (docs/compliance.md, "Caps on payment terms").

HARD rejects, HARD_CONDITIONAL warns, DEROGABLE rejects without an express agreement.
"""

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext as _

from billing.compliance.dataset import data
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, Severity, error_if
from billing.compliance.jurisdictions import Group, Jurisdiction, TermCap
from billing.compliance.preferences import CustomerKind

FIELD = "spec.paymentTerms.netDays"


def findings(facts: AccountFacts, platform: PlatformSettings, on: date) -> Iterator[Finding]:
    """Yield a finding for net days over the cap of the customer's country. There is no cap for consumers."""
    row = data().jurisdiction(facts.country, on)
    if row is None or facts.payment_terms.net_days is None:
        return
    match facts.preferences.customer_kind:
        case CustomerKind.BUSINESS:
            yield from _between_businesses(row, facts.payment_terms.net_days, facts.payment_terms.extended_terms_agreed)
        case CustomerKind.GOVERNMENT:
            yield from _of_government(row, facts.payment_terms.net_days)


def _between_businesses(row: Jurisdiction, net_days: int, agreed: bool) -> Iterator[Finding]:
    if row.max_net_days is None or net_days <= row.max_net_days:
        return
    over = {"days": net_days, "most": row.max_net_days, "country": row.name}
    firm = row.firm(Group.TERMS)
    match row.term_cap:
        case TermCap.HARD:
            message = _("%(days)d net days are over the %(most)d that %(country)s allows between businesses") % over
            yield _finding(row, error_if(firm), message)
        case TermCap.HARD_CONDITIONAL:
            message = _(
                "%(days)d net days are over the %(most)d that %(country)s allows between parties of certain sizes"
            )
            yield _finding(row, Severity.WARNING, message % over)
        case TermCap.DEROGABLE if not agreed:
            message = _(
                "%(days)d net days are over the %(most)d of %(country)s, "
                "which need an express agreement (extendedTermsAgreed: true)"
            )
            yield _finding(row, error_if(firm), message % over)


def _of_government(row: Jurisdiction, net_days: int) -> Iterator[Finding]:
    # a Warning, because the data do not say whether parties may derogate from a public cap
    if row.max_net_days_public is not None and net_days > row.max_net_days_public:
        message = _("%(days)d net days are over the %(most)d in which public bodies of %(country)s pay") % {
            "days": net_days,
            "most": row.max_net_days_public,
            "country": row.name,
        }
        yield _finding(row, Severity.WARNING, message, "terms.public")


def _finding(row: Jurisdiction, severity: Severity, message: str, rule: str = "terms.cap") -> Finding:
    note = f" ({row.max_net_note})" if row.max_net_note else ""
    return Finding(
        severity,
        FIELD,
        f"{message}{note}",
        f"{rule}.{row.country}",
        row.effective_from,
        row.confidence(Group.TERMS),
        ";".join(row.sources),
    )
