"""E-invoicing mandates: binding for domestic supplies, an Info for others (docs/compliance.md, "Domestic mandates")."""

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
# the kind of customer that a scope concerns; scopes not listed concern the seller and so every customer
_CUSTOMERS = {
    Scope.B2B_CROSS_BORDER: CustomerKind.BUSINESS,
    Scope.B2B_DOMESTIC: CustomerKind.BUSINESS,
    Scope.B2B_ON_REQUEST: CustomerKind.BUSINESS,
    Scope.RECEIVE: CustomerKind.BUSINESS,
    Scope.B2G: CustomerKind.GOVERNMENT,
}


def findings(facts: AccountFacts, platform: PlatformSettings, on: date) -> Iterator[Finding]:
    """Yield a finding for each mandate that concerns the customer and that its e-invoicing standard does not satisfy.

    It is an Error only if seller and customer are in one country, the mandate is law in force that requires them to
    exchange or clear e-invoices, and its row is firm. A Warning follows if the standard cannot deliver to the customer.
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
    standard = facts.preferences.e_invoicing.standard
    return standard == mandate.standard or standard in data().standards[mandate.standard].satisfied_by


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
    """Yield a Warning if the standard cannot deliver to the identifiers of the customer."""
    e_invoicing = facts.preferences.e_invoicing
    standard = data().standards.get(e_invoicing.standard)
    if standard is None or standard.identifier is Identifier.NONE:
        return
    if e_invoicing.identifier(standard.identifier):
        if standard.identifier is Identifier.PEPPOL:
            yield from _not_in_peppol(standard, e_invoicing.peppol_participant_id, on)
        return
    if _deliverable_without(standard.identifier, facts):
        return
    message = _("e-invoices by %(standard)s cannot be delivered without %(identifier)s") % {
        "standard": standard.name,
        "identifier": standard.identifier.value,
    }
    yield _undelivered(standard, message, "FieldValueRequired")


def _deliverable_without(identifier: Identifier, facts: AccountFacts) -> bool:
    """Return whether the standard reaches this customer without that identifier."""
    kind = facts.preferences.customer_kind
    if identifier is Identifier.LEITWEG:
        # companies have no Leitweg-ID
        return kind != CustomerKind.GOVERNMENT
    if identifier is Identifier.CODICE_DESTINATARIO:
        # delivered to the PEC address, or for Italian consumers to the tax portal; government offices need a code
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
    names = {"standard": standard.name, "scheme": scheme.scheme, "day": str(scheme.effective_to)}
    yield _undelivered(standard, message % names, "FieldValueNotSupported")


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
