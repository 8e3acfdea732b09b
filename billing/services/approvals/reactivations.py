"""Reactivate a suspended account: the effect of an approved request, once every suspension is resolved."""

from typing import Any

from django.db.models import Exists, OuterRef, Subquery
from django.utils.translation import gettext as _

from billing.models import ApprovalRequest, BillingAccount, Suspension
from billing.models.account_queries import BillingAccountQuerySet
from billing.services.accounts import ACCOUNT_FIELD
from billing.services.notices import outbox
from billing.services.payer_changes import facts
from milo import audit
from milo.access import Actor
from milo.errors import Cause


def prepare(organization_id: int, account: str, _proposal: dict[str, Any]) -> None:
    """Make due payer changes of the account facts: while it was suspended it was no payer of further projects."""
    if key := _key(organization_id, account):
        facts.make_due_facts_of(key)


def lock(organization_id: int, account: str, _proposal: dict[str, Any]) -> None:
    """Settle in a dry run what `prepare` has left; lock nothing in others."""
    if key := _key(organization_id, account):
        facts.settle_in_dry_run(key)


def _key(organization_id: int, account: str) -> int | None:
    accounts = BillingAccount.objects.filter(organization=organization_id, name=account)
    return accounts.values_list("pk", flat=True).first()


def causes(account: BillingAccount) -> list[Cause]:
    """Return why `account`, locked by the caller, cannot be reactivated now: one cause for each open suspension."""
    if account.phase != BillingAccount.Phase.SUSPENDED:
        return [Cause(ACCOUNT_FIELD, _("a %(phase)s account is not suspended") % {"phase": account.phase})]
    message = _("suspension %(uid)s (%(code)s) is open; resolve it with its evidence first")
    return [
        Cause(ACCOUNT_FIELD, message % {"uid": suspension.uid, "code": suspension.reason_code})
        for suspension in Suspension.objects.open().filter(account=account).order_by("pk")
    ]


def resolved_accounts() -> BillingAccountQuerySet:
    """Return the suspended accounts whose reactivation nobody has requested, though every suspension is resolved.

    They are annotated with `last_resolved_at`, the instant (UTC) of the last resolution.
    """
    suspensions = Suspension.objects.filter(account=OuterRef("pk"))
    requests = ApprovalRequest.objects.pending().filter(account=OuterRef("pk"), act=ApprovalRequest.Action.REACTIVATE)
    suspended = BillingAccount.objects.filter(phase=BillingAccount.Phase.SUSPENDED)
    last = suspensions.order_by("-resolved_at").values("resolved_at")[:1]
    return suspended.filter(~Exists(suspensions.open()), ~Exists(requests)).annotate(last_resolved_at=Subquery(last))


def apply(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Make `account`, locked by the caller, Ready again, in the transaction of the approval. Raises `Unavailable`."""
    facts.refuse_due_of(account.pk)
    account.reactivate()
    audit.save_as(actor, account, reason="BillingAccountReactivated", why=f"approved by request {request.name}")
    outbox.queue_reactivation(account, request, actor=actor)
