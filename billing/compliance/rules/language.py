"""The language of invoices. The data record no confidence for it, so this rule never rejects."""

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext as _

from billing.compliance import languages
from billing.compliance.dataset import data
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, Severity
from billing.compliance.jurisdictions import Group


def findings(facts: AccountFacts, platform: PlatformSettings, on: date) -> Iterator[Finding]:
    """Yield a finding for a language that the rule of the customer's country does not allow.

    It is a Warning for domestic customers and an Info for others.
    """
    row = data().jurisdiction(facts.country, on)
    tag = languages.canonical(facts.preferences.invoice_language)
    if row is None or not tag or not row.invoice_languages or languages.spoken(tag) in row.invoice_languages:
        return
    message = _("invoices are in %(language)s; the rule of %(country)s is: %(rule)s") % {
        "language": tag,
        "country": row.name,
        "rule": row.language_rule,
    }
    yield Finding(
        Severity.WARNING if facts.country == platform.seller_country else Severity.INFO,
        "spec.preferences.invoiceLanguage",
        message,
        f"language.{row.country}",
        row.effective_from,
        row.confidence(Group.LANGUAGE),
        ";".join(row.sources),
    )
