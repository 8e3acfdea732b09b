"""Decisions of approvers: approve a request, or reject it."""

from collections.abc import Collection, Sequence
from typing import Any

from django.utils.translation import gettext as _

from billing.access import APPROVALS
from billing.models import ApprovalRequest, BillingAccount
from billing.services.approvals import reviews
from billing.services.approvals.effects import EFFECTS, changes_since_review
from billing.services.approvals.requests import (
    lock_for_review,
    lock_request,
    prepare_request,
    record_decision,
    refuse_decided,
)
from billing.services.notices import outbox
from milo import audit, provenance
from milo.access import Actor
from milo.errors import Cause, Conflict, Forbidden, Invalid, Refused
from milo.identity.actors import is_deactivated
from milo.identity.makers import Acted, behind
from milo.identity.service_users import programs_of
from milo.kube.store import managers
from projects.access import FINANCE_APPROVER

_LISTED = 20
"""Items of a long list that a refusal names."""


class StaleReview(Conflict):
    """The account has changed since the review, or the request was reviewed again; the causes say what differs.

    `changed` lists each field with its value as reviewed and now.
    """

    changed: Sequence[reviews.Difference] = ()


def approve(request_id: int, *, reviewed_hash: str, comment: str = "", actor: Actor) -> ApprovalRequest:
    """Approve a request; it takes effect in the same transaction, or nothing is written.

    `reviewed_hash` is the hash of the review that the approver has read (`status.reviewedHash`). Raises:

    - `Forbidden` without the permission, and for whoever requested it, took it over, or edited the account since its
      last approval (superusers included), also by a credential made for another;
    - `Conflict` if the request is decided or expired, or if its owner is deactivated;
    - `StaleReview` if the request was renewed since the approver read it, or if the account has changed since;
    - `Invalid` if the effect cannot happen now.
    """
    prepare_request(request_id)
    with audit.transaction():
        account, request = lock_for_review(request_id)
        actor.require("create", APPROVALS, request.organization_id, action="approve")
        refuse_decided(request)
        edits, standings = reviews.edits_of(account), reviews.standings_of(request)
        _refuse_credential(edits | standings, actor)
        editors = reviews.everybody(edits)
        _refuse_own(request, standings, editors, actor)
        _refuse_abandoned(request)
        _refuse_unseen(request, reviewed_hash)
        effect = EFFECTS[request.act]
        effect.freeze(request)
        _refuse_stale(request, account)
        if causes := effect.causes(account, request):
            raise Invalid.because(causes, _("this cannot take effect now"))
        request.approve(actor.name, audit.ledger_time(account), comment, editors)
        audit.save_as(actor, request, reason="Approved", why=comment)
        with provenance.allowed_by(request.uid), managers.writing_as(f"approvalrequest/{request.name}"):
            effect.apply(account, request, actor=actor)
        outbox.queue_decision(request)
        return request


def reject(request_id: int, *, comment: str = "", actor: Actor) -> ApprovalRequest:
    """Reject a request; the row is kept, with the comment.

    Raises `Forbidden`; `Conflict` if the request is decided or expired; `Invalid` without a comment.
    """
    with audit.transaction():
        account, request = lock_request(request_id)
        actor.require("create", APPROVALS, request.organization_id, action="reject")
        refuse_decided(request)
        _refuse_credential(reviews.edits_of(account) | reviews.standings_of(request), actor)
        if not comment.strip():
            raise Invalid.because([Cause.required("spec.comment")])
        request.reject(actor.name, audit.ledger_time(account), comment)
        return record_decision(request, account, "Rejected", comment, actor)


def obstacles(request: ApprovalRequest, *, actor: Actor) -> dict[str, str]:
    """Return why `actor` can neither `approve` nor `reject` a request, each by its name; "" if nothing forbids it.

    For the page of a request: it reads without locks, does not compare the review, and the decision checks again.
    """
    organization, why_no_role = request.organization_id, _("only a person with the role %(role)s decides requests")
    if not all(actor.may("create", APPROVALS, organization, action=action) for action in ("approve", "reject")):
        return dict.fromkeys(("approve", "reject"), why_no_role % {"role": FINANCE_APPROVER})
    try:
        refuse_decided(request)
        edits, standings = reviews.edits_of(request.account), reviews.standings_of(request)
        _refuse_credential(edits | standings, actor)
    except Refused as refusal:
        return dict.fromkeys(("approve", "reject"), refusal.message)
    try:
        _refuse_own(request, standings, reviews.everybody(edits), actor)
        _refuse_abandoned(request)
    except Refused as refusal:
        return {"approve": refusal.message, "reject": ""}
    return {"approve": "", "reject": ""}


def _refuse_own(request: ApprovalRequest, standings: Collection[Acted], editors: Collection[str], actor: Actor) -> None:
    if actor.name in (request.requester, request.taken_over_by):
        raise Forbidden(_("you asked for this; a second person must approve it"))
    if actor.name in reviews.everybody(standings):
        raise Forbidden(_("you made the credential by which this was asked for; another person must approve it"))
    if actor.name in editors:
        raise Forbidden(_("you changed the account since its last approval; another person must approve this"))


def _refuse_credential(acted: Collection[Acted], actor: Actor) -> None:
    """Raise `Forbidden` for a decision that the requester or an editor could have sent in the name of another person.

    A service user acts by a credential that somebody else holds, and whoever made a person's credential may still know
    it. So a decision is refused if its credential was made by one of those whose request or edit it is about.
    """
    programs = programs_of([actor.name, *(name for name, _maker in acted)])
    # service users never decide on approvals
    if actor.name in programs:
        raise Forbidden(_("a person must decide this, %(name)s is a service user") % {"name": actor.name})
    if standing := behind([(actor.name, actor.maker)]) & reviews.masters(acted, programs):
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
    changed = changes_since_review(account, request)
    if not changed:
        return
    causes = [
        Cause(f"reviewed.{name}", _("was %(before)s, is %(after)s") % {"before": was, "after": now})
        for name, before, after in changed
        for was, now in [_in_short(before, after)]
    ]
    message = _("the account has changed since it was reviewed; the requester can renew the request")
    stale = StaleReview(message, causes)
    stale.changed = changed
    raise stale


def _in_short(before: Any, after: Any) -> tuple[Any, Any]:
    """Return what differs of two long lists, else both values as they are."""
    if not (isinstance(before, list) and isinstance(after, list)) or len(before) + len(after) <= _LISTED:
        return before, after
    old, present = ({str(each) for each in values} for values in (before, after))
    gone, new = [each for each in before if str(each) not in present], [each for each in after if str(each) not in old]
    return [*gone[:_LISTED], "..."], [*new[:_LISTED], "..."]
