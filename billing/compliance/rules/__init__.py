"""Rule packs: pure functions `(AccountFacts, PlatformSettings, date) -> findings` that read dated rows.

A pack yields nothing if a fact that it needs is missing: the account's own validation reports missing values.
"""

from collections.abc import Callable, Iterator
from datetime import date

from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding
from billing.compliance.rules import (
    currency,
    einvoicing,
    language,
    payment_method,
    payment_terms,
    residency,
    retention,
    tax_registration,
)

Rule = Callable[[AccountFacts, PlatformSettings, date], Iterator[Finding]]
RULES: tuple[Rule, ...] = (
    currency.findings,
    payment_terms.findings,
    payment_method.findings,
    tax_registration.findings,
    einvoicing.findings,
    language.findings,
    residency.findings,
    retention.findings,
)
OF_RECORDS: tuple[Rule, ...] = (residency.findings, retention.findings)
"""The rules of data that are kept: of an account and its payer of record the stricter ones count."""
