"""The findings of one account, and the drift of many."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, Severity
from billing.compliance.rules import RULES

_WORST_FIRST = list(Severity)


@dataclass(frozen=True, slots=True)
class Drift:
    """An account that fails, `name` as its facts have it, by which rule, and since when that rule is in force.

    `since` is None for a rule that has been in force since before the data were gathered.
    """

    name: str
    finding: Finding

    @property
    def since(self) -> date | None:
        return self.finding.effective_from


def check(facts: AccountFacts, platform: PlatformSettings, on: date) -> list[Finding]:
    """What the rules in force `on` a day say of an account, the Errors first. No clock is read, nothing is changed."""
    found = [finding for rule in RULES for finding in rule(facts, platform, on)]
    return sorted(found, key=lambda finding: _WORST_FIRST.index(finding.severity))


def drift(accounts: Iterable[AccountFacts], platform: PlatformSettings, on: date) -> Iterator[Drift]:
    """Each Error of each account under the rules of a day, one account at a time, in constant memory."""
    for facts in accounts:
        for finding in check(facts, platform, on):
            if finding.severity is Severity.ERROR:
                yield Drift(facts.name, finding)
