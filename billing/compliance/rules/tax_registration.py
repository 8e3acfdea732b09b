"""Tax registrations: required if the customer's country says so, and well-formed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from django.utils.translation import gettext as _

from billing.compliance.dataset import data
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, Severity, error_if
from billing.compliance.jurisdictions import Group, Jurisdiction, TaxIdRequirement
from billing.compliance.preferences import CustomerKind
from billing.compliance.tax_numbers import Scheme, TaxNumber
from billing.compliance.tax_registrations import Form, TaxRegistration, checked

FIELD = "spec.preferences.taxRegistrations"


def findings(facts: AccountFacts, platform: PlatformSettings, on: date) -> Iterator[Finding]:
    """Yield a finding for each malformed number, and for a missing number that businesses in the country need."""
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
    # individuals only get a Warning: they may have numbers of a kind that the data lack
    business = facts.preferences.customer_kind != CustomerKind.INDIVIDUAL
    for index, registration in enumerate(facts.preferences.tax_registrations):
        result = checked(registration, on)
        if result.form is not Form.INVALID or result.kind is None:
            continue
        yield Finding(
            error_if(business and result.kind.firm),
            f"{FIELD}[{index}].number",
            _why_malformed(registration, result.kind, on),
            f"tax.format.{result.country}",
            result.kind.effective_from,
            result.kind.confidence,
            ";".join(result.kind.sources),
        )


def _why_malformed(registration: TaxRegistration, kind: TaxNumber, on: date) -> str:
    country, row = registration.country, data().jurisdiction(registration.country, on)
    names = {"name": kind.name, "country": row.name if row else country, "scheme": registration.scheme}
    if registration.scheme:
        other = checked(replace(registration, scheme=""), on)
        if other.form is Form.VALID:
            message = _("is no %(scheme)s number of %(country)s but %(other_name)s: its scheme is %(other)s")
            return message % (names | {"other_name": other.name, "other": other.scheme})
        message = _("is no %(scheme)s number of %(country)s: its form or check digits are wrong")
    else:
        message = _("is no %(name)s of %(country)s, nor another number known there: its form or check digits are wrong")
    if checked(replace(registration, scheme=Scheme.OTHER), on).form is Form.INVALID:
        return message % names
    return _("%(fault)s; a number of a kind that is not known here has scheme Other") % {"fault": message % names}


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
