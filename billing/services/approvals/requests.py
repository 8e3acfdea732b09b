"""Approval requests: what moves money or responsibility takes effect only when a second person agrees."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.access import APPROVALS
from billing.models import ApprovalRequest, BillingAccount
from billing.services import accounts, holds, terms
from billing.services.approvals import closures, reactivations, reviews
from billing.services.notices import owing
from billing.services.usage import assignments
from milo import audit, provenance
from milo.access import Actor
from milo.errors import AlreadyExists, Cause, Conflict, Forbidden, Invalid, NotFound
from milo.identity.actors import is_deactivated
from milo.identity.makers import behind
from milo.identity.service_users import is_service
from milo.kube.metadata import Metadata
from milo.kube.names import generated_name, name_causes
from milo.kube.store import managers

log = structlog.get_logger(__name__)
EXPIRY = Actor.system("approval-expiry")


@dataclass(frozen=True, slots=True)
class Effect:
    """What an approved request does. `causes` says why it could not be done now; both get the locked account.

    `shows` is what the approver reviews besides the account.
    """

    causes: Callable[[BillingAccount, ApprovalRequest], list[Cause]]
    apply: Callable[..., None]
    shows: Callable[[BillingAccount, ApprovalRequest], dict[str, Any]] = lambda _account, _request: {}


EFFECTS: dict[str, Effect] = {
    ApprovalRequest.Action.REACTIVATE: Effect(
        lambda account, _request: reactivations.causes(account), reactivations.apply
    ),
    ApprovalRequest.Action.CLOSE: Effect(closures.close_causes, closures.close),
    ApprovalRequest.Action.REOPEN: Effect(lambda account, _request: closures.reopen_causes(account), closures.reopen),
    ApprovalRequest.Action.REVISE_TERMS: Effect(terms.causes, terms.apply),
    ApprovalRequest.Action.RELEASE_HOLD: Effect(holds.release_causes, holds.apply_release, holds.shows),
    ApprovalRequest.Action.ASSIGN_USAGE: Effect(assignments.causes, assignments.apply, assignments.shows),
}


class StaleReview(Conflict):
    """The account has changed since it was reviewed; the causes show how."""


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
    """Ask for an act on the account of that name; it takes effect when a second person approves.

    `proposal` is the change asked for (ReviseTerms: `paymentTerms`; ReleaseHold: `hold`; AssignUsage:
    `project`, `since`, `until`). Raises `Forbidden`,
    `AlreadyExists`, and `Invalid` for no justification, an unknown act, a missing account, a request of this kind
    that is pending, or an act that could not take effect now.
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
    with audit.transaction():
        subject = accounts.lock_named(organization_id, account)
        if ApprovalRequest.objects.filter(organization_id=organization_id, name=name).exists():
            raise AlreadyExists(_("approval request %(name)s already exists") % {"name": name})
        pending = ApprovalRequest.objects.pending().filter(account=subject, act=act).first()
        if pending:
            message = _("request %(name)s to %(act)s is pending already") % {"name": pending.name, "act": act}
            raise Invalid.because([Cause("spec.action", message, "FieldValueDuplicate")])
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
        if causes := EFFECTS[act].causes(subject, request):
            raise Invalid.because(causes, _("this could not take effect"))
        _review(request, subject, now)
        audit.save_as(actor, request, reason="ApprovalRequested", why=f"{act}: {justification}")
        audit.mark_changed(actor, subject, reason="ApprovalRequested", why=act)
        owing.owe_request(request)
        return request


def review_of(account: BillingAccount, request: ApprovalRequest) -> dict[str, Any]:
    """Return all that a decision rests on as it is now: the account, and what the act shows besides.

    A request is stale where this is not what it was reviewed with. Service and staff site both ask here.
    """
    return reviews.reviewed(account) | EFFECTS[request.act].shows(account, request)


def _review(request: ApprovalRequest, account: BillingAccount, now: datetime) -> None:
    review = review_of(account, request)
    request.renew(review, reviews.hash_of(review), now + timedelta(days=settings.MILO_APPROVAL_DAYS))


def approve(request_id: int, *, reviewed_hash: str, comment: str = "", actor: Actor) -> ApprovalRequest:
    """Approve a request; it takes effect in the same transaction, or nothing happens.

    `reviewed_hash` is that of the review on which the approver decides (`status.reviewedHash`). Raises `Forbidden`
    without the right, and to who asked, took it over, or changed the account since its last approval (superusers
    included); `Conflict` where the request is decided or expired, or who stands by it is deactivated; `StaleReview`
    where the request stands for another review by now, and where the account has changed since, with the difference;
    `Invalid` where its act could not take effect now.
    """
    with audit.transaction():
        account, request = _lock(request_id)
        actor.require("create", APPROVALS, request.organization_id, act="approve")
        _refuse_decided(request)
        editors = reviews.editors(account)
        _refuse_credential(account, request, actor)
        _refuse_own(request, editors, actor)
        _refuse_abandoned(request)
        _refuse_unseen(request, reviewed_hash)
        _refuse_stale(request, account)
        effect = EFFECTS[request.act]
        if causes := effect.causes(account, request):
            raise Invalid.because(causes, _("this cannot take effect now"))
        request.approve(actor.name, audit.ledger_time(account), comment, editors)
        audit.save_as(actor, request, reason="Approved", why=comment)
        with provenance.allowed_by(request.uid), managers.writing_as(f"approvalrequest/{request.name}"):
            effect.apply(account, request, actor=actor)
        owing.owe_decision(request)
        return request


def reject(request_id: int, *, comment: str = "", actor: Actor) -> ApprovalRequest:
    """Refuse a request; it stays for ever with the comment.

    Raises `Forbidden`, `Conflict` where it is decided or expired, `Invalid` without a comment.
    """
    with audit.transaction():
        account, request = _lock(request_id)
        actor.require("create", APPROVALS, request.organization_id, act="reject")
        _refuse_decided(request)
        _refuse_credential(account, request, actor)
        if not comment.strip():
            raise Invalid.because([Cause.required("spec.comment")])
        request.reject(actor.name, audit.ledger_time(account), comment)
        return _decided(request, account, "Rejected", comment, actor)


def withdraw(request_id: int, *, comment: str = "", actor: Actor) -> ApprovalRequest:
    """Take one's own request back; it stays for ever with the comment.

    Raises `Forbidden` for anybody but the requester, `Conflict` where it is decided or expired, `Invalid` without a
    comment.
    """
    with audit.transaction():
        account, request = _lock(request_id)
        actor.require("create", APPROVALS, request.organization_id, act="withdraw")
        if actor.name != request.owner:
            raise Forbidden(_("only %(requester)s can withdraw this request") % {"requester": request.owner})
        _refuse_decided(request)
        if not comment.strip():
            raise Invalid.because([Cause.required("spec.comment")])
        request.withdraw(actor.name, audit.ledger_time(account), comment)
        return _decided(request, account, "Withdrawn", comment, actor)


def renew(request_id: int, *, actor: Actor) -> ApprovalRequest:
    """Stand by one's own request for the account as it is now, with a new time to decide.

    Raises `Forbidden` for anybody but the requester, `Conflict` where it is decided or expired.
    """
    with audit.transaction():
        account, request = _lock(request_id)
        actor.require("create", APPROVALS, request.organization_id, act="renew")
        if actor.name != request.owner:
            raise Forbidden(_("only %(requester)s can renew this request") % {"requester": request.owner})
        _refuse_decided(request)
        _review(request, account, audit.ledger_time(account))
        return audit.save_as(actor, request, reason="ApprovalRenewed")


def relabel_request(
    request_id: int, metadata: Metadata, *, actor: Actor, resource_version: int | None = None
) -> ApprovalRequest:
    """Change the metadata of a request, whatever its phase; what is asked for, and who decided, is fixed.

    What changes nothing writes nothing. Raises `Forbidden`, `Invalid`, and `Conflict` for a stale `resource_version`.
    """
    with audit.transaction():
        _account, request = _lock(request_id)
        actor.require("update", APPROVALS, request.organization_id)
        return managers.relabel(
            request, metadata, reason="ApprovalRelabelled", actor=actor, resource_version=resource_version
        )


def takeover(request_id: int, *, comment: str = "", actor: Actor) -> ApprovalRequest:
    """Stand by the pending request of a person who is deactivated, so that it can be approved, renewed or withdrawn.

    Whoever takes it over never approves it. Raises `Forbidden`, and `Conflict` where it is decided or expired, or where
    the person who stands by it is active.
    """
    with audit.transaction():
        _account, request = _lock(request_id)
        actor.require("create", APPROVALS, request.organization_id, act="takeover")
        _refuse_decided(request)
        if not is_deactivated(request.owner):
            message = _("%(person)s, who stands by this request, is active and can renew or withdraw it")
            raise Conflict(message % {"person": request.owner})
        request.take_over(actor.name)
        return audit.save_as(actor, request, reason="ApprovalTakenOver", why=comment)


def expire_overdue() -> int:
    """Expire every pending request whose time ran out; returns how many. One that fails keeps no other waiting."""
    expired = 0
    for request_id in list(ApprovalRequest.objects.overdue().values_list("pk", flat=True)):
        try:
            expired += _expire(request_id)
        except Exception:
            log.exception("expiry_failed", request=request_id)
    return expired


def _expire(request_id: int) -> bool:
    with audit.transaction():
        account, request = _lock(request_id)
        # somebody may have decided or renewed it meanwhile
        if request.phase != ApprovalRequest.Phase.PENDING or request.expires_at > timezone.now():
            return False
        request.expire(EXPIRY.name, audit.ledger_time(account))
        _decided(request, account, "Expired", "", EXPIRY)
        return True


def _lock(request_id: int) -> tuple[BillingAccount, ApprovalRequest]:
    found = ApprovalRequest.objects.filter(pk=request_id).first()
    if found is None:
        raise NotFound(_("there is no such approval request"))
    account = BillingAccount.objects.locked().select_related("organization").get(pk=found.account_id)
    # whatever writes a request holds its account
    request = ApprovalRequest.objects.get(pk=request_id)
    request.account = account
    return account, request


def _decided(
    request: ApprovalRequest, account: BillingAccount, reason: str, comment: str, actor: Actor
) -> ApprovalRequest:
    audit.save_as(actor, request, reason=reason, why=comment)
    audit.mark_changed(actor, account, reason=f"Approval{reason}", why=request.act)
    owing.owe_decision(request)
    return request


def _refuse_decided(request: ApprovalRequest) -> None:
    if request.phase != ApprovalRequest.Phase.PENDING:
        raise Conflict(_("request %(name)s is %(phase)s already") % {"name": request.name, "phase": request.phase})
    if request.expires_at <= timezone.now():
        raise Conflict(_("request %(name)s has expired; ask again") % {"name": request.name})


def _refuse_own(request: ApprovalRequest, editors: Collection[str], actor: Actor) -> None:
    if actor.name in (request.requester, request.taken_over_by):
        raise Forbidden(_("you asked for this; a second person must approve it"))
    if actor.name in reviews.requesters(request):
        raise Forbidden(_("you made the credential by which this was asked for; another person must approve it"))
    if actor.name in editors:
        raise Forbidden(_("you changed the account since its last approval; another person must approve this"))


def _refuse_credential(account: BillingAccount, request: ApprovalRequest, actor: Actor) -> None:
    """Raise `Forbidden` where whoever asks or has edited could have sent this decision in the name of another."""
    if is_service(actor):
        raise Forbidden(_("a person must decide this, %(name)s is a service user") % {"name": actor.name})
    makers = behind([(actor.name, actor.maker)])
    if makers and (standing := makers & reviews.masters(account, request)):
        message = _("%(maker)s, who asks for this or has changed the account, made the credential that you act by")
        raise Forbidden(message % {"maker": min(standing)})


def _refuse_abandoned(request: ApprovalRequest) -> None:
    if is_deactivated(request.owner):
        message = _("%(person)s, who stands by this request, is deactivated: another person must take it over first")
        raise Conflict(message % {"person": request.owner})


def _refuse_unseen(request: ApprovalRequest, reviewed_hash: str) -> None:
    if reviewed_hash != request.reviewed_hash:
        message = _("the review of %(name)s is not the one of this reviewedHash: look at status.reviewed again")
        raise StaleReview(message % {"name": request.name}, [Cause("spec.reviewedHash", _("is not the present one"))])


def _refuse_stale(request: ApprovalRequest, account: BillingAccount) -> None:
    review = review_of(account, request)
    if reviews.hash_of(review) == request.reviewed_hash:
        return
    changed = reviews.difference(request.reviewed, review)
    causes = [
        Cause(f"reviewed.{name}", _("was %(before)s, is %(after)s") % {"before": before, "after": after})
        for name, before, after in changed
    ]
    message = _("the account has changed since it was reviewed; the requester can renew the request")
    raise StaleReview(message, causes)
