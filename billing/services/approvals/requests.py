"""Approval requests from the first to the last: request, renew, withdraw, take over, expire.

Every writer of a request holds the lock of its account, so that requests of one account are written in turn.
"""

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.access import APPROVALS
from billing.models import ApprovalRequest, BillingAccount
from billing.services import accounts
from billing.services.approvals import reviews
from billing.services.approvals.effects import EFFECTS, review_of
from billing.services.notices import outbox
from milo import audit, clock
from milo.access import Actor
from milo.errors import AlreadyExists, Cause, Conflict, Forbidden, Invalid, NotFound
from milo.identity.actors import is_deactivated
from milo.kube.metadata import Metadata
from milo.kube.names import generated_name, name_causes
from milo.kube.store import managers

log = structlog.get_logger(__name__)
EXPIRY = Actor.system("approval-expiry")


def request_approval(
    organization_id: int,
    account: str,
    act: str,
    *,
    justification: str,
    proposal: dict[str, Any] | None = None,
    name: str = "",
    metadata: Metadata = Metadata(),
    actor: Actor,
) -> ApprovalRequest:
    """Request an action on the account named `account`; it takes effect when a second person approves.

    `act` is a key of `EFFECTS`. `proposal` is the proposed change (ReviseTerms: `paymentTerms`; ReleaseHold: `hold`;
    AssignUsage: `project`, `since`, `until`; CorrectPayer: the same, `until` and `evidence` optional; RedateBindings:
    `project`; MovePayers: `payerChange`, which gets the name of the request). The approvers get a notice. Raises
    `Forbidden`; `AlreadyExists` if the name is taken; `Invalid` without a justification, for an unknown action, a
    missing account, a pending request of the same kind, or an action that could not take effect now.
    """
    actor.require("create", APPROVALS, organization_id)
    name = name or generated_name(f"{account[:40]}-{act.lower()}-")
    causes = name_causes(name) + metadata.causes()
    if act not in EFFECTS:
        causes.append(Cause("spec.action", _("must be one of %(known)s") % {"known": ", ".join(EFFECTS)}))
    if not justification.strip():
        causes.append(Cause.required("spec.justification"))
    if causes:
        raise Invalid.because(causes)
    EFFECTS[act].prepare(organization_id, account, proposal or {})
    with audit.transaction():
        EFFECTS[act].lock(organization_id, account, proposal or {})
        subject = accounts.lock_named(organization_id, account)
        if ApprovalRequest.objects.filter(organization_id=organization_id, name=name).exists():
            raise AlreadyExists(_("approval request %(name)s already exists") % {"name": name})
        now = audit.ledger_time(subject)
        request = ApprovalRequest(
            organization_id=organization_id,
            account=subject,
            name=name,
            act=act,
            justification=justification,
            proposal=proposal or {},
            requester=actor.name,
            requested_at=now,
            created_at=now,
        )
        metadata.put_on(request)
        _refuse_second(request)
        if causes := EFFECTS[act].causes(subject, request):
            raise Invalid.because(causes, _("this could not take effect"))
        _review(request, subject, now)
        audit.save_as(actor, request, reason="ApprovalRequested", why=f"{act}: {justification}")
        audit.mark_changed(actor, subject, reason="ApprovalRequested", why=act)
        outbox.queue_request(request)
        return request


def _refuse_second(request: ApprovalRequest) -> None:
    """Raise `Invalid` while a request of the same act waits on the account, or about the project that it names."""
    pending = ApprovalRequest.objects.pending().of_same_act(request).first()
    if pending is None:
        return
    field, message = "spec.action", _("request %(name)s to %(act)s is pending already")
    if request.act in ApprovalRequest.OF_A_PROJECT:
        field, message = "spec.proposal.project", _("request %(name)s about project %(project)s is pending already")
    words = {"name": pending.name, "act": request.act, "project": request.proposal.get("project", "")}
    raise Invalid.because([Cause(field, message % words, "FieldValueDuplicate")])


def _review(request: ApprovalRequest, account: BillingAccount, now: datetime) -> None:
    review = review_of(account, request)
    request.renew(review, reviews.hash_of(review), now + timedelta(days=settings.MILO_APPROVAL_DAYS))


def withdraw(request_id: int, *, comment: str = "", actor: Actor) -> ApprovalRequest:
    """Withdraw one's own request; the row is kept, with the comment.

    Raises `Forbidden` for anybody but the owner of the request, `Conflict` if it is decided or expired, `Invalid`
    without a comment.
    """
    with audit.transaction():
        account, request = lock_request(request_id)
        actor.require("create", APPROVALS, request.organization_id, action="withdraw")
        if actor.name != request.owner:
            raise Forbidden(_("only %(requester)s can withdraw this request") % {"requester": request.owner})
        refuse_decided(request)
        if not comment.strip():
            raise Invalid.because([Cause.required("spec.comment")])
        request.withdraw(actor.name, audit.ledger_time(account), comment)
        return record_decision(request, account, "Withdrawn", comment, actor)


def renew(request_id: int, *, actor: Actor) -> ApprovalRequest:
    """Renew one's own request: review the account as it is now, and begin a new period of MILO_APPROVAL_DAYS.

    Raises `Forbidden` for anybody but the owner of the request, `Conflict` if it is decided or expired.
    """
    with audit.transaction():
        account, request = lock_for_review(request_id)
        actor.require("create", APPROVALS, request.organization_id, action="renew")
        if actor.name != request.owner:
            raise Forbidden(_("only %(requester)s can renew this request") % {"requester": request.owner})
        refuse_decided(request)
        _review(request, account, audit.ledger_time(account))
        return audit.save_as(actor, request, reason="ApprovalRenewed")


def relabel_request(
    request_id: int, metadata: Metadata, *, actor: Actor, resource_version: int | None = None
) -> ApprovalRequest:
    """Change the metadata of a request in any phase; everything else is immutable.

    An unchanged request is not written. Raises `Forbidden`; `Invalid` for a fault in the metadata; `Conflict` for a
    stale `resource_version`.
    """
    with audit.transaction():
        _account, request = lock_request(request_id)
        actor.require("update", APPROVALS, request.organization_id)
        return managers.relabel(
            request, metadata, reason="ApprovalRelabelled", actor=actor, resource_version=resource_version
        )


def takeover(request_id: int, *, comment: str = "", actor: Actor) -> ApprovalRequest:
    """Take over the pending request of a deactivated person, so that it can be approved, renewed or withdrawn.

    The new owner can never approve it. Raises `Forbidden`; `Conflict` if the request is decided or expired, or if its
    owner is active.
    """
    with audit.transaction():
        _account, request = lock_request(request_id)
        actor.require("create", APPROVALS, request.organization_id, action="takeover")
        refuse_decided(request)
        if not is_deactivated(request.owner):
            message = _("%(person)s, who stands by this request, is active and can renew or withdraw it")
            raise Conflict(message % {"person": request.owner})
        request.take_over(actor.name)
        return audit.save_as(actor, request, reason="ApprovalTakenOver", why=comment)


def expire_overdue() -> int:
    """Expire every pending request whose time has passed, and return how many. A failure of one is logged.

    Raises `ClockWrong`.
    """
    clock.refuse_wrong()
    expired = 0
    for request_id in list(ApprovalRequest.objects.overdue().values_list("pk", flat=True)):
        try:
            expired += _expire(request_id)
        except Exception:
            log.exception("expiry_failed", request=request_id)
    return expired


def _expire(request_id: int) -> bool:
    clock.refuse_wrong()
    with audit.transaction():
        account, request = lock_request(request_id)
        # it was read without the lock: an approver may have decided it, or its owner renewed it
        if request.phase != ApprovalRequest.Phase.PENDING or request.expires_at > timezone.now():
            return False
        request.expire(EXPIRY.name, audit.ledger_time(account))
        record_decision(request, account, "Expired", "", EXPIRY)
        return True


def prepare_request(request_id: int) -> None:
    """Do what the effect of a request needs before any lock."""
    asked = ApprovalRequest.objects.select_related("account").filter(pk=request_id).first()
    if asked:
        EFFECTS[asked.act].prepare(asked.organization_id, asked.account.name, asked.proposal)


def lock_for_review(request_id: int) -> tuple[BillingAccount, ApprovalRequest]:
    """Lock what the effect of a request reads and writes, last its account, and return account and request.

    Raises `NotFound`.
    """
    asked = ApprovalRequest.objects.select_related("account").filter(pk=request_id).first()
    if asked:
        EFFECTS[asked.act].lock(asked.organization_id, asked.account.name, asked.proposal)
    return lock_request(request_id)


def lock_request(request_id: int) -> tuple[BillingAccount, ApprovalRequest]:
    """Lock the account of a request, as every writer of the request does, and return both. Raises `NotFound`."""
    account_id = ApprovalRequest.objects.values_list("account", flat=True).filter(pk=request_id).first()
    if account_id is None:
        raise NotFound(_("there is no such approval request"))
    account = BillingAccount.objects.locked().select_related("organization").get(pk=account_id)
    # read after the lock: every writer of a request holds the lock of its account
    request = ApprovalRequest.objects.get(pk=request_id)
    request.account = account
    return account, request


def record_decision(
    request: ApprovalRequest, account: BillingAccount, reason: str, comment: str, actor: Actor
) -> ApprovalRequest:
    """Save a request that ends without effect, with an event of its account, and queue the notice of the decision."""
    audit.save_as(actor, request, reason=reason, why=comment)
    audit.mark_changed(actor, account, reason=f"Approval{reason}", why=request.act)
    outbox.queue_decision(request)
    return request


def refuse_decided(request: ApprovalRequest) -> None:
    """Raise `Conflict` for a request that is decided or whose time to decide has passed."""
    if request.phase != ApprovalRequest.Phase.PENDING:
        raise Conflict(_("request %(name)s is %(phase)s already") % {"name": request.name, "phase": request.phase})
    if request.expires_at <= timezone.now():
        raise Conflict(_("request %(name)s has expired; ask again") % {"name": request.name})
