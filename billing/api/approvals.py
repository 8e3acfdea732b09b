"""Approval requests as a Kubernetes kind."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.access import APPROVALS
from billing.api.approval_serializers import (
    ApprovalRequestSpecSerializer,
    ApprovalRequestStatusSerializer,
    ApproveSerializer,
    CommentSerializer,
    proposal_of,
)
from billing.api.examples import APPROVAL_REQUEST, APPROVE, COMMENT
from billing.models import ApprovalRequest
from billing.models.approval import public_review
from billing.services.approvals import decisions, requests
from milo.access import Actor
from milo.kube.kinds import Action, Column, Kind, ObjectInput, register
from milo.kube.models import ResourceQuerySet
from milo.kube.schemas import NothingSerializer
from milo.kube.store.manifests import condition, instant, without_empty
from milo.kube.store.objects import refuse_other_spec


def _action(
    service: Callable[..., ApprovalRequest],
    description: Any,
    serializer: Any = CommentSerializer,
    example: Any = COMMENT,
) -> Action:
    return Action(
        service.__name__,
        lambda row, spec, *, actor: service(row.pk, **spec, actor=actor),
        serializer,
        description,
        example,
    )


@register
class ApprovalRequestKind(Kind):
    group, kind, plural, singular = "billing.milo.io", "ApprovalRequest", APPROVALS, "approvalrequest"
    contended = "billingAccountRef"
    short_names = ("apr",)
    description = gettext_lazy("An action on an account that takes effect only when a second person approves it.")
    fixed_spec = True
    model = ApprovalRequest
    spec_serializer, status_serializer = ApprovalRequestSpecSerializer, ApprovalRequestStatusSerializer
    columns = (
        Column("Action", lambda m: m["spec"]["action"]),
        Column("Account", lambda m: m["spec"]["billingAccountRef"]["name"]),
        Column("Phase", lambda m: m["status"]["phase"]),
        Column("Requester", lambda m: m["status"]["requester"]),
        Column("Decider", lambda m: m["status"].get("decider", "")),
        Column("Subject", lambda m: _subject(m), wide=True),
        Column("Expires", lambda m: m["status"]["expiresAt"], wide=True),
    )
    field_selectors = {
        "status.phase": "phase",
        "spec.action": "act",
        "spec.billingAccountRef.name": "account__name",
        "status.requester": "requester",
    }
    renamed = {"act": "action"}
    example = APPROVAL_REQUEST
    # a requester can be deactivated without a new revision of the request
    live = True
    undeletable = gettext_lazy("an approval request is never deleted: withdraw it with a comment")
    actions = (
        _action(
            decisions.approve,
            gettext_lazy("Agree to what was reviewed; the action takes effect in the same transaction."),
            ApproveSerializer,
            APPROVE,
        ),
        _action(decisions.reject, gettext_lazy("Refuse, with a comment.")),
        _action(requests.withdraw, gettext_lazy("Take one's own request back, with a comment.")),
        _action(
            requests.takeover,
            gettext_lazy("Take over the request of a deactivated person; one may not approve it afterwards."),
        ),
        Action(
            "renew",
            lambda row, spec, *, actor: requests.renew(row.pk, actor=actor),
            NothingSerializer,
            gettext_lazy("Renew one's own request for the current state of the account."),
        ),
    )

    def queryset(self) -> ResourceQuerySet[ApprovalRequest]:
        return ApprovalRequest.objects.select_related("organization", "account").with_deactivated()

    def lock(self, row: ApprovalRequest) -> None:
        requests.lock_request(row.pk)

    def spec(self, row: ApprovalRequest) -> dict[str, Any]:
        return {
            "billingAccountRef": {"name": row.account.name},
            "action": row.act,
            "justification": row.justification,
            "proposal": dict(row.proposal),
        }

    def status(self, row: ApprovalRequest) -> dict[str, Any]:
        return without_empty(
            {
                "phase": row.phase,
                "conditions": [_approved(row)],
                "requester": row.requester,
                "takenOverBy": row.taken_over_by,
                "requestedAt": instant(row.requested_at),
                "expiresAt": instant(row.expires_at),
                "decider": row.decider,
                "decidedAt": row.decided_at and instant(row.decided_at),
                "comment": row.comment,
                "reviewed": dict(public_review(row.reviewed)),
                "reviewedHash": row.reviewed_hash,
            }
        )

    def normalized(self, spec: dict[str, Any], row: ApprovalRequest | None) -> dict[str, Any]:
        account, proposal = spec["billing_account_ref"]["name"], proposal_of(spec.get("proposal", {}))
        return {
            "billingAccountRef": {"name": account},
            "action": spec["action"],
            "justification": spec["justification"],
            "proposal": proposal,
        }

    def create(self, body: ObjectInput, *, actor: Actor) -> ApprovalRequest:
        assert body.organization_id
        spec = body.spec
        return requests.request_approval(
            body.organization_id,
            spec["billing_account_ref"]["name"],
            spec["action"],
            justification=spec["justification"],
            proposal=proposal_of(spec.get("proposal", {})),
            name=body.name,
            metadata=body.metadata,
            actor=actor,
        )

    def update(self, row: Any, body: ObjectInput, *, actor: Actor, resource_version: int | None) -> ApprovalRequest:
        refuse_other_spec(self, row, body.spec, _("is fixed; ask for it by another approval request"))
        return requests.relabel_request(row.pk, body.metadata, actor=actor, resource_version=resource_version)


def _approved(row: ApprovalRequest) -> dict[str, Any]:
    """Return the condition `Approved`, Unknown while pending: `kubectl wait` can tell refused from undecided."""
    pending = row.phase == ApprovalRequest.Phase.PENDING
    approved = None if pending else row.phase == ApprovalRequest.Phase.APPROVED
    reason, message = row.phase, row.comment
    if pending:
        message = f"Waits until {instant(row.expires_at)} for a second person to decide"
    if pending and row.owner_deactivated:  # type: ignore[attr-defined]
        reason, message = (
            "RequesterDeactivated",
            f"{row.owner} is deactivated: another person must take the request over",
        )
    return condition("Approved", approved, row.decided_at or row.requested_at, reason, message, row.generation)


def _subject(manifest: dict[str, Any]) -> str:
    """Return what the action is about besides the account: the hold to release, the project, or how many of them."""
    if hold := manifest["status"].get("reviewed", {}).get("hold"):
        return ": ".join(filter(None, (hold["type"], hold.get("message"))))
    proposal = manifest["spec"].get("proposal", {})
    if "payerChange" in proposal:
        return _("%(number)d projects") % {"number": len(manifest["status"]["reviewed"]["projects"])}
    project: str = proposal.get("project", "")
    return project
