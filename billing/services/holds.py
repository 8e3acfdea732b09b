"""Holds: set by one person with a reason, released by an approved request."""

from typing import Any

from django.utils.translation import gettext as _

from billing.access import ACCOUNTS, APPROVALS
from billing.models import ApprovalRequest, BillingAccount, Hold
from milo import audit
from milo.access import Actor
from milo.errors import Cause, Invalid


def set_hold(account_id: int, *, type: str, message: str = "", reason: str = "", actor: Actor) -> Hold:
    """Keep an account from being closed and its data from being purged, in any phase, until the hold is released.

    `message` is shown to customers, `reason` to staff alone. Raises `Forbidden`, `Invalid` without any of the two or
    for an unknown type.
    """
    with audit.transaction():
        account = BillingAccount.objects.locked().get(pk=account_id)
        actor.require("create", ACCOUNTS, account.organization_id, act="hold")
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
    wanted = str(request.proposal.get("hold", ""))
    return next((hold for hold in Hold.objects.filter(account=account) if str(hold.uid) == wanted), None)


def _open_hold(account: BillingAccount, request: ApprovalRequest) -> Hold | None:
    hold = _named_hold(account, request)
    return hold if hold and hold.released_at is None else None


def release_causes(account: BillingAccount, request: ApprovalRequest) -> list[Cause]:
    """Why the hold that the request names cannot be released."""
    if _open_hold(account, request):
        return []
    return [Cause.not_found("spec.proposal.hold", _("must be the uid of an open hold of the account"))]


def shows(account: BillingAccount, request: ApprovalRequest) -> dict[str, Any]:
    """Return type and message of the hold: a uid alone says nothing. Customers read it with the request."""
    hold = _named_hold(account, request)
    return {"hold": {"type": hold.type, "message": hold.message}} if hold else {}


def note_of(account: BillingAccount, request: ApprovalRequest) -> str:
    """Return the internal note of the hold that a request names, for the staff who decide it."""
    hold = _named_hold(account, request)
    return hold.reason if hold else ""


def may_read_notes(account: BillingAccount, actor: Actor) -> bool:
    """Whether the actor reads internal notes: who sets holds does, and who decides their release."""
    organization = account.organization_id
    return actor.may("create", ACCOUNTS, organization, act="hold") or actor.may(
        "create", APPROVALS, organization, act="approve"
    )


def apply_release(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Release the hold, in the act of the approval."""
    hold = _open_hold(account, request)
    assert hold, "release_causes is asked first"
    hold.released_at, hold.released_by = audit.ledger_time(hold), actor.name
    hold.release_reason = request.justification
    audit.save_as(actor, hold, reason="HoldReleased", why=f"approved by request {request.name}")
    audit.mark_changed(actor, account, reason="HoldReleased", why=hold.type)
