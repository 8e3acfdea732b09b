"""Apply the regional rules: the findings of one account, and the Errors of many."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, Severity
from billing.compliance.rules import OF_RECORDS, RULES

_WORST_FIRST = list(Severity)


@dataclass(frozen=True, slots=True)
class Drift:
    """An Error of an account, `name` being that of its facts.

    `since` is the day on which the rule came into force; None if that was before the data were gathered.
    """

    name: str
    finding: Finding

    @property
    def since(self) -> date | None:
        return self.finding.effective_from


def check(facts: AccountFacts, platform: PlatformSettings, on: date) -> list[Finding]:
    """Return the findings of the rules in force on the day `on`, Errors first.

    The rules of invoices judge who is invoiced: where the account has a payer of record, only those of records are its.
    """
    findings = [finding for rule in (OF_RECORDS if facts.payer else RULES) for finding in rule(facts, platform, on)]
    return sorted(findings, key=lambda finding: _WORST_FIRST.index(finding.severity))


def drift(accounts: Iterable[AccountFacts], platform: PlatformSettings, on: date) -> Iterator[Drift]:
    """Yield each Error of each account under the rules in force on the day `on`. Uses constant memory."""
    for facts in accounts:
        for finding in check(facts, platform, on):
            if finding.severity is Severity.ERROR:
                yield Drift(facts.name, finding)
