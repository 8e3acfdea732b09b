"""E-invoice mandates bind domestic supplies, and inform about others (docs/compliance.md, "Domestic mandates")."""

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext as _

from billing.compliance.dataset import data
from billing.compliance.einvoicing import ITALY
from billing.compliance.facts import AccountFacts, PlatformSettings
from billing.compliance.findings import Finding, Severity, error_if
from billing.compliance.jurisdictions import EUROPEAN_UNION, Group
from billing.compliance.mandates import Identifier, Kind, Mandate, Scope, Standard, Status
from billing.compliance.preferences import CustomerKind

FIELD = "spec.preferences.eInvoicing"
_BINDING_SCOPES = (Scope.B2B_DOMESTIC, Scope.ALL_DOMESTIC)
_BINDING_KINDS = (Kind.EXCHANGE, Kind.CLEARANCE)
# whom a scope is about; one that is not here is about the seller, whoever the customer is
_CUSTOMERS = {
    Scope.B2B_CROSS_BORDER: CustomerKind.BUSINESS,
    Scope.B2B_DOMESTIC: CustomerKind.BUSINESS,
    Scope.B2B_ON_REQUEST: CustomerKind.BUSINESS,
    Scope.RECEIVE: CustomerKind.BUSINESS,
    Scope.B2G: CustomerKind.GOVERNMENT,
}


def findings(facts: AccountFacts, platform: PlatformSettings, on: date) -> Iterator[Finding]:
    """A finding for each mandate that concerns the customer and that its e-invoice standard does not satisfy.

    An Error only where seller and customer are of one country, a law is in force that binds their
    supplies to exchange or clear e-invoices, and its row is firm.
    """
    domestic = bool(facts.country) and facts.country == platform.seller_country
    for mandate in data().mandates.get(facts.country, ()):
        if _concerns(mandate, facts, on, domestic=domestic) and not _satisfied(mandate, facts):
            yield _finding(mandate, on, domestic=domestic)
    if not domestic and _inside_the_union(facts, platform, on):
        for mandate in data().mandates.get(EUROPEAN_UNION, ()):
            if _concerns(mandate, facts, on, domestic=True) and not _satisfied(mandate, facts):
                yield _finding(mandate, on, domestic=False)
    yield from _undeliverable(facts, on)


def _concerns(mandate: Mandate, facts: AccountFacts, on: date, *, domestic: bool) -> bool:
    if mandate.ended(on):
        return False
    if mandate.scope in _CUSTOMERS:
        return facts.preferences.customer_kind == _CUSTOMERS[mandate.scope]
    return domestic or mandate.scope is Scope.ALL_DOMESTIC


def _satisfied(mandate: Mandate, facts: AccountFacts) -> bool:
    given = facts.preferences.e_invoicing.standard
    return given == mandate.standard or given in data().standards[mandate.standard].satisfied_by


def _inside_the_union(facts: AccountFacts, platform: PlatformSettings, on: date) -> bool:
    rows = [data().jurisdiction(country, on) for country in (facts.country, platform.seller_country)]
    return all(row is not None and row.in_eu for row in rows)


def _finding(mandate: Mandate, on: date, *, domestic: bool) -> Finding:
    binding = domestic and mandate.in_force(on) and mandate.scope in _BINDING_SCOPES and mandate.kind in _BINDING_KINDS
    row = data().jurisdiction(mandate.country, on)
    firm = mandate.sourced and (row is None or row.firm(Group.EINVOICE))
    message = _message(mandate, on, binding=binding, domestic=domestic) % {
        "country": row.name if row else mandate.country,
        "standard": mandate.standard,
        "day": mandate.effective_from.isoformat(),
        "whom": mandate.applies_to,
    }
    return Finding(
        error_if(firm) if binding else Severity.INFO,
        f"{FIELD}.standard",
        message,
        mandate.rule,
        mandate.effective_from,
        row.confidence(Group.EINVOICE) if row else None,
        mandate.source,
        reason="FieldValueRequired" if binding else "FieldValueInvalid",
    )


def _message(mandate: Mandate, on: date, *, binding: bool, domestic: bool) -> str:
    if binding:
        return _("%(country)s requires e-invoices by %(standard)s for domestic supplies since %(day)s: %(whom)s")
    if mandate.status is not Status.LAW:
        return _("%(country)s plans e-invoices by %(standard)s from %(day)s, which is no law yet: %(whom)s")
    if mandate.effective_from > on:
        return _("%(country)s will require %(standard)s from %(day)s: %(whom)s")
    if mandate.scope in _BINDING_SCOPES and not domestic:
        return _(
            "%(country)s requires %(standard)s since %(day)s for domestic supplies only, which this is not: %(whom)s"
        )
    return _("%(country)s has %(standard)s since %(day)s, which does not bind these invoices by itself: %(whom)s")


def _undeliverable(facts: AccountFacts, on: date) -> Iterator[Finding]:
    """A Warning where the standard cannot find the customer by the identifiers that are given."""
    given = facts.preferences.e_invoicing
    standard = data().standards.get(given.standard)
    if standard is None or standard.identifier is Identifier.NONE:
        return
    if given.identifier(standard.identifier):
        if standard.identifier is Identifier.PEPPOL:
            yield from _not_in_peppol(standard, given.peppol_participant_id, on)
        return
    if _found_otherwise(standard.identifier, facts):
        return
    message = _("e-invoices by %(standard)s cannot be delivered without %(identifier)s") % {
        "standard": standard.name,
        "identifier": standard.identifier.value,
    }
    yield _undelivered(standard, message, "FieldValueRequired")


def _found_otherwise(identifier: Identifier, facts: AccountFacts) -> bool:
    """Whether the customer is one whom the standard finds without that identifier."""
    kind = facts.preferences.customer_kind
    if identifier is Identifier.LEITWEG:
        # companies have no Leitweg-ID
        return kind != CustomerKind.GOVERNMENT
    if identifier is Identifier.CODICE_DESTINATARIO:
        # to the PEC address; consumers of Italy read theirs in the tax portal; only an office needs its own code
        return kind != CustomerKind.GOVERNMENT and (
            bool(facts.preferences.e_invoicing.pec_address)
            or (kind == CustomerKind.INDIVIDUAL and facts.country == ITALY)
        )
    return False


def _not_in_peppol(standard: Standard, participant: str, on: date) -> Iterator[Finding]:
    scheme = data().peppol_schemes.get(participant.partition(":")[0])
    if scheme is None or (scheme.registrable and not scheme.retired(on)):
        return
    if scheme.retired(on):
        message = _("e-invoices by %(standard)s cannot be delivered: Peppol removed scheme %(scheme)s on %(day)s")
    else:
        message = _("e-invoices by %(standard)s cannot be delivered: scheme %(scheme)s cannot be registered in Peppol")
    named = {"standard": standard.name, "scheme": scheme.scheme, "day": str(scheme.effective_to)}
    yield _undelivered(standard, message % named, "FieldValueNotSupported")


def _undelivered(standard: Standard, message: str, reason: str) -> Finding:
    return Finding(
        Severity.WARNING,
        f"{FIELD}.identifiers.{standard.identifier.value}",
        message,
        f"einvoice.identifier.{standard.name}",
        confidence=standard.confidence,
        source=standard.source,
        reason=reason,
    )
