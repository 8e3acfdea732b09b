"""Facts that the tests of rules start from."""

from dataclasses import replace
from datetime import date
from typing import Any

from billing.compliance.check import check
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, Severity
from billing.compliance.preferences import Preferences
from billing.terms.payment_terms import PaymentTerms

TODAY = date(2026, 11, 22)
NOBODY = PlatformSettings()


def facts(country: str = "", *, terms: PaymentTerms = PaymentTerms(), **given: Any) -> AccountFacts:
    """An account in a country; `currency_code` and `payment_method` apart, what is given goes to its preferences."""
    account = {name: given.pop(name) for name in ("name", "currency_code", "payment_method") if name in given}
    return AccountFacts(payment_terms=terms, preferences=replace(Preferences(country=country), **given), **account)


def found(rule: str, account: AccountFacts, platform: PlatformSettings = NOBODY, on: date = TODAY) -> list[Finding]:
    """The findings of the rules whose id begins with `rule`."""
    return [finding for finding in check(account, platform, on) if finding.rule.startswith(rule)]


def severities(
    rule: str, account: AccountFacts, platform: PlatformSettings = NOBODY, on: date = TODAY
) -> list[Severity]:
    return [finding.severity for finding in found(rule, account, platform, on)]
