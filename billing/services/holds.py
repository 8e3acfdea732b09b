"""Actions on holds: one person sets a hold, an approved request releases it."""

from typing import Any

from django.utils.translation import gettext as _

from billing.access import ACCOUNTS, APPROVALS
from billing.models import ApprovalRequest, BillingAccount, Hold
from milo import audit
from milo.access import Actor
from milo.errors import Cause, Invalid


def set_hold(account_id: int, *, type: str, message: str = "", reason: str = "", actor: Actor) -> Hold:
    """Set a hold: the account cannot be closed, nor its data purged, until the hold is released. Any phase will do.

    Customers read `message`, only staff read `reason`. Raises `Forbidden`; `Invalid` without both of them, or for an
    unknown type.
    """
    with audit.transaction():
        account = BillingAccount.objects.locked().get(pk=account_id)
        actor.require("create", ACCOUNTS, account.organization_id, action="hold")
        causes = []
        if not message.strip() and not reason.strip():
            causes.append(Cause.required("spec.message", _("is required, or spec.internalNote is")))
        if type not in Hold.Type.values:
            causes.append(Cause("spec.type", _("must be one of %(known)s") % {"known": ", ".join(Hold.Type.values)}))
        if causes:
            raise Invalid.because(causes)
        hold = Hold(
            account=account,
            type=type,
            message=message,
            reason=reason,
            set_at=audit.ledger_time(account),
            set_by=actor.name,
        )
        audit.save_as(actor, hold, reason="HoldSet", why=hold.described)
        audit.mark_changed(actor, account, reason="HoldSet", why=type)
        return hold


def _named_hold(account: BillingAccount, request: ApprovalRequest) -> Hold | None:
    uid = str(request.proposal.get("hold", ""))
    return next((hold for hold in Hold.objects.filter(account=account) if str(hold.uid) == uid), None)


def _open_hold(account: BillingAccount, request: ApprovalRequest) -> Hold | None:
    hold = _named_hold(account, request)
    return hold if hold and hold.released_at is None else None


def release_causes(account: BillingAccount, request: ApprovalRequest) -> list[Cause]:
    """Return why the hold that the request names cannot be released: it must be an open hold of the account."""
    if _open_hold(account, request):
        return []
    return [Cause.not_found("spec.proposal.hold", _("must be the uid of an open hold of the account"))]


def shows(account: BillingAccount, request: ApprovalRequest) -> dict[str, Any]:
    """Return type and message of the hold, for the review. Customers read them, so the internal note is left out."""
    hold = _named_hold(account, request)
    return {"hold": {"type": hold.type, "message": hold.message}} if hold else {}


def note_of(account: BillingAccount, request: ApprovalRequest) -> str:
    """Return the internal note of the hold that the request names, for staff."""
    hold = _named_hold(account, request)
    return hold.reason if hold else ""


def may_read_notes(account: BillingAccount, actor: Actor) -> bool:
    """Return whether the actor may read internal notes: whoever may set holds, or decide their release."""
    organization = account.organization_id
    return actor.may("create", ACCOUNTS, organization, action="hold") or actor.may(
        "create", APPROVALS, organization, action="approve"
    )


def apply_release(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Release the hold, in the transaction of the approval."""
    hold = _open_hold(account, request)
    assert hold, "release_causes is asked first"
    hold.released_at, hold.released_by = audit.ledger_time(hold), actor.name
    hold.release_reason = request.justification
    audit.save_as(actor, hold, reason="HoldReleased", why=f"approved by request {request.name}")
    audit.mark_changed(actor, account, reason="HoldReleased", why=hold.type)
