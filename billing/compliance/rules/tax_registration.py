"""Tax registrations: required where the customer's country says so, and well-formed."""

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext as _

from billing.compliance.dataset import data
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, Severity, error_if
from billing.compliance.jurisdictions import Group, Jurisdiction, TaxIdRequirement
from billing.compliance.preferences import CustomerKind
from billing.compliance.tax_registrations import Form, checked

FIELD = "spec.preferences.taxRegistrations"


def findings(facts: AccountFacts, platform: PlatformSettings, on: date) -> Iterator[Finding]:
    """A finding for each number that is not in its country's form, and for a number that a business must give."""
    yield from _malformed(facts, on)
    row = data().jurisdiction(facts.country, on)
    if row is None or facts.preferences.customer_kind != CustomerKind.BUSINESS:
        return
    if any(each.country == row.country for each in facts.preferences.tax_registrations):
        return
    names = {"country": row.name, "scheme": row.tax_id_name}
    if row.tax_id_requirement is TaxIdRequirement.REQUIRED:
        message = _("invoices to businesses in %(country)s need their tax number, %(scheme)s") % names
        yield _required(row, error_if(row.firm(Group.TAX_REQUIREMENT)), message)
    elif row.tax_id_requirement is TaxIdRequirement.CONDITIONAL:
        message = _("some invoices to businesses in %(country)s need their tax number, %(scheme)s") % names
        yield _required(row, Severity.INFO, message)


def _malformed(facts: AccountFacts, on: date) -> Iterator[Finding]:
    for index, registration in enumerate(facts.preferences.tax_registrations):
        row = data().jurisdiction(registration.country, on)
        if row is None or checked(registration, on).form is not Form.INVALID:
            continue
        message = _("is no %(scheme)s of %(country)s: its form or check digits are wrong") % {
            "scheme": row.tax_id_name,
            "country": row.name,
        }
        # the schemes are those of businesses; a person may have a number of another kind
        business = facts.preferences.customer_kind != CustomerKind.INDIVIDUAL
        yield Finding(
            error_if(business and row.firm(Group.TAX)),
            f"{FIELD}[{index}].number",
            message,
            f"tax.format.{row.country}",
            row.effective_from,
            row.confidence(Group.TAX),
            ";".join(row.sources),
        )


def _required(row: Jurisdiction, severity: Severity, message: str) -> Finding:
    return Finding(
        severity,
        FIELD,
        message,
        f"tax.required.{row.country}",
        row.effective_from,
        row.confidence(Group.TAX_REQUIREMENT),
        ";".join(row.sources),
        reason="FieldValueRequired",
    )
