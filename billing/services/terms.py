"""Payment terms beyond the limit, which need a second person."""

from django.utils.translation import gettext as _

from billing.models import ApprovalRequest, BillingAccount
from billing.payment_terms import FIELDS, PaymentTerms
from billing.services import accounts
from milo import audit
from milo.access import Actor
from milo.errors import Cause

FIELD = "spec.proposal.paymentTerms"


def causes(account: BillingAccount, request: ApprovalRequest) -> list[Cause]:
    """Why the terms proposed cannot be given to `account`, which the caller holds locked."""
    if account.phase in BillingAccount.READ_ONLY:
        return [Cause(accounts.ACCOUNT_FIELD, _("a %(phase)s account is read-only") % {"phase": account.phase})]
    proposed = request.proposal.get("paymentTerms")
    if not isinstance(proposed, dict) or set(proposed) != set(FIELDS):
        return [Cause.required(FIELD, _("must hold %(fields)s") % {"fields": ", ".join(FIELDS)})]
    terms = _proposed(request)
    faults = terms.causes() + terms.missing()
    return [Cause(fault.field.replace("spec.", "spec.proposal.", 1), fault.message, fault.reason) for fault in faults]


def _proposed(request: ApprovalRequest) -> PaymentTerms:
    proposed = request.proposal["paymentTerms"]
    return PaymentTerms(**{column: proposed[name] for name, column in FIELDS.items()})


def apply(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Give `account`, which is locked, the approved terms, in the act of the approval."""
    terms = _proposed(request)
    account.net_days = terms.net_days
    account.invoice_frequency = terms.invoice_frequency or ""
    account.invoice_day_of_month = terms.invoice_day_of_month
    account.approved_terms = terms.as_json()
    account.generation += 1
    audit.save_as(actor, account, reason="PaymentTermsRevised", why=f"approved by request {request.name}")
    if not account.first_ready_at:
        accounts.validate_locked(account, actor)
