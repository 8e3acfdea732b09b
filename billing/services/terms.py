"""Payment terms beyond the limit, which need a second person."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from billing.models import ApprovalRequest, BillingAccount
from billing.payment_terms import PaymentTerms
from milo import audit
from milo.access import Actor
from milo.errors import Cause

FIELD = "spec.proposal.paymentTerms"
_NAMES = {"netDays": "net_days", "invoiceFrequency": "invoice_frequency", "invoiceDayOfMonth": "invoice_day_of_month"}


def beyond_limit(terms: PaymentTerms) -> bool:
    """Whether `terms` may be given only with approval: more net days than MILO_NET_DAYS_WITHOUT_APPROVAL."""
    return (terms.net_days or 0) > settings.MILO_NET_DAYS_WITHOUT_APPROVAL


def as_json(terms: PaymentTerms) -> dict[str, Any]:
    """The terms as in a manifest, and as the account keeps the ones that were approved."""
    return {name: getattr(terms, column) for name, column in _NAMES.items()}


def approval_causes(account: BillingAccount, terms: PaymentTerms) -> list[Cause]:
    """A cause where `terms` go beyond the limit and nobody has approved these very terms for `account`."""
    if not beyond_limit(terms) or account.approved_terms == as_json(terms):
        return []
    message = _("more than %(limit)d needs an approved request to ReviseTerms")
    limit = settings.MILO_NET_DAYS_WITHOUT_APPROVAL
    return [Cause("spec.paymentTerms.netDays", message % {"limit": limit})]


def causes(account: BillingAccount, request: ApprovalRequest) -> list[Cause]:
    """Why the terms proposed cannot be given to `account`, which the caller holds locked."""
    if account.phase in BillingAccount.READ_ONLY:
        return [Cause("spec.billingAccountRef.name", _("a %(phase)s account is read-only") % {"phase": account.phase})]
    proposed = request.proposal.get("paymentTerms")
    if not isinstance(proposed, dict) or set(proposed) != set(_NAMES):
        return [Cause.required(FIELD, _("must hold %(fields)s") % {"fields": ", ".join(_NAMES)})]
    terms = _proposed(request)
    faults = terms.causes() + terms.missing()
    return [Cause(fault.field.replace("spec.", "spec.proposal.", 1), fault.message, fault.reason) for fault in faults]


def _proposed(request: ApprovalRequest) -> PaymentTerms:
    proposed = request.proposal["paymentTerms"]
    return PaymentTerms(**{column: proposed[name] for name, column in _NAMES.items()})


def apply(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Give `account`, which is locked, the approved terms, in the act of the approval."""
    terms = _proposed(request)
    account.net_days = terms.net_days
    account.invoice_frequency = terms.invoice_frequency or ""
    account.invoice_day_of_month = terms.invoice_day_of_month
    account.approved_terms = as_json(terms)
    account.generation += 1
    audit.save_as(actor, account, reason="PaymentTermsRevised", why=f"approved by request {request.name}")
