"""Revise payment terms beyond the limit: the effect of an approved request."""

from dataclasses import replace

from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import ApprovalRequest, BillingAccount
from billing.services import accounts
from billing.services.account_spec import AccountSpec
from billing.services.compliance import assessments, rules
from billing.services.notices import outbox
from billing.terms.payment_terms import PaymentTerms
from milo import audit
from milo.access import Actor
from milo.errors import Cause

FIELD = "spec.proposal.paymentTerms"


def causes(account: BillingAccount, request: ApprovalRequest) -> list[Cause]:
    """Return why the proposed terms cannot apply to `account`, locked by the caller."""
    if account.phase in BillingAccount.READ_ONLY:
        return [Cause(accounts.ACCOUNT_FIELD, _("a %(phase)s account is read-only") % {"phase": account.phase})]
    if not isinstance(request.proposal.get("paymentTerms"), dict):
        return [Cause.required(FIELD)]
    before, terms = AccountSpec.of(account), _proposed(account, request)
    spec = replace(before, payment_terms=terms)
    faults = terms.causes() + terms.missing()
    faults += rules.introduced(spec, timezone.now().date(), before, whole=True, of=account)
    return [Cause(fault.field.replace("spec.", "spec.proposal.", 1), fault.message, fault.reason) for fault in faults]


def _proposed(account: BillingAccount, request: ApprovalRequest) -> PaymentTerms:
    return account.anchored(PaymentTerms.from_json(request.proposal["paymentTerms"]))


def apply(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Give `account`, locked by the caller, the approved terms, in the transaction of the approval."""
    account.payment_terms = _proposed(account, request)
    account.approved_terms = account.payment_terms.as_json()
    assessments.assess(account, timezone.now().date())
    account.generation += 1
    audit.save_as(actor, account, reason="PaymentTermsRevised", why=f"approved by request {request.name}")
    outbox.queue_assessment(account, actor=actor)
    if not account.first_ready_at:
        accounts.validate_locked(account, actor)
