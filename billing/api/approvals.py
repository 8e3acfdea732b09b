"""Approval requests as a Kubernetes kind."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.access import APPROVALS
from billing.api.examples import APPROVAL_REQUEST, APPROVE, COMMENT
from billing.api.payer_change_serializers import PayerChangeSpecSerializer, spec_of
from billing.api.serializers import PaymentTermsSerializer
from billing.api.usage_reports import MonthField
from billing.models import ApprovalRequest, BillingAccountAffiliation
from billing.models.approval import public_review
from billing.services.approvals import decisions, requests
from milo.access import Actor
from milo.kube.fields import BooleanField, ChoiceField, InstantField, ReferenceSerializer, StringField
from milo.kube.kinds import Action, Column, Kind, ObjectInput, register
from milo.kube.models import ResourceQuerySet
from milo.kube.schemas import ConditionSerializer, NothingSerializer
from milo.kube.store.manifests import condition, instant, precise_instant, without_empty
from milo.kube.store.objects import refuse_other_spec


class ProposalSerializer(serializers.Serializer[Any]):
    paymentTerms = PaymentTermsSerializer(
        source="payment_terms",
        required=False,
        help_text=gettext_lazy("With ReviseTerms: the requested terms, complete."),
    )
    hold = serializers.UUIDField(required=False, help_text=gettext_lazy("With ReleaseHold: the uid of the hold."))
    project = StringField(
        max_length=63,
        required=False,
        help_text=gettext_lazy("With AssignUsage, CorrectPayer and RedateBindings: the project."),
    )
    since = InstantField(
        required=False, help_text=gettext_lazy("With AssignUsage and CorrectPayer: the first instant of the span.")
    )
    until = InstantField(
        required=False,
        help_text=gettext_lazy(
            "With AssignUsage and CorrectPayer: the end of the span, not included, in the past. CorrectPayer without it"
            " also binds the account from the approval on."
        ),
    )
    evidence = StringField(
        max_length=2000,
        required=False,
        help_text=gettext_lazy("With CorrectPayer: where to find what shows the mistake, such as a ticket."),
    )
    currencyDiffers = BooleanField(
        source="currency_differs",
        required=False,
        help_text=gettext_lazy("With CorrectPayer: true acknowledges that an account that paid has another currency."),
    )
    parentRef = ReferenceSerializer(
        source="parent",
        required=False,
        help_text=gettext_lazy("With Affiliate: the account above; without it the account stands alone again."),
    )
    payer = ChoiceField(
        BillingAccountAffiliation.Payer.choices,
        required=False,
        help_text=gettext_lazy("With Affiliate: Parent, the default with a parent, or Self."),
    )
    effectiveFrom = MonthField(
        source="effective_from",
        required=False,
        help_text=gettext_lazy("With Affiliate: the first month; the next by default."),
    )
    payerChange = PayerChangeSpecSerializer(
        source="payer_change",
        required=False,
        help_text=gettext_lazy("With MovePayers: the spec of the payer change, which gets the name of the request."),
    )


class ApprovalRequestSpecSerializer(serializers.Serializer[Any]):
    billingAccountRef = ReferenceSerializer(
        source="billing_account_ref", help_text=gettext_lazy("The account on which the action takes effect.")
    )
    action = ChoiceField(
        ApprovalRequest.Action.choices,
        help_text=gettext_lazy(
            "Reactivate, Close, Reopen, ReviseTerms, ReleaseHold, AssignUsage, CorrectPayer, MovePayers, RedateBindings"
            " or Affiliate."
        ),
    )
    justification = StringField(max_length=2000, help_text=gettext_lazy("Why; the approver reads it."))
    proposal = ProposalSerializer(
        required=False, help_text=gettext_lazy("The requested change, where the action has one.")
    )


class ApprovalRequestStatusSerializer(serializers.Serializer[Any]):
    phase = ChoiceField(
        ApprovalRequest.Phase.choices, help_text=gettext_lazy("Pending, Approved, Rejected, Withdrawn or Expired.")
    )
    conditions = ConditionSerializer(
        many=True,
        help_text=gettext_lazy(
            "Approved: Unknown until somebody decides, True once a second person agreed, else False with the phase as"
            " its reason."
        ),
    )
    requester = serializers.CharField(help_text=gettext_lazy("Who made the request; never the one who approves it."))
    takenOverBy = serializers.CharField(
        required=False,
        help_text=gettext_lazy("Who took the request over after its requester was deactivated; may never approve it."),
    )
    requestedAt = serializers.DateTimeField(help_text=gettext_lazy("When it was requested (UTC)."))
    expiresAt = serializers.DateTimeField(help_text=gettext_lazy("When the request expires undecided (UTC)."))
    decider = serializers.CharField(required=False, help_text=gettext_lazy("Who decided."))
    decidedAt = serializers.DateTimeField(required=False, help_text=gettext_lazy("When it was decided (UTC)."))
    comment = serializers.CharField(required=False, help_text=gettext_lazy("What the decider said."))
    reviewed = serializers.DictField(
        help_text=gettext_lazy(
            "The account as it was reviewed, with the hold, usage, payers, projects or bindings in question."
        )
    )
    reviewedHash = serializers.CharField(
        help_text=gettext_lazy("SHA-256 of `reviewed` as JSON with sorted keys; send it with the action approve.")
    )


class CommentSerializer(serializers.Serializer[Any]):
    comment = StringField(
        max_length=2000,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("For the record; required by reject and withdraw."),
    )


class ApproveSerializer(CommentSerializer):
    reviewedHash = StringField(
        source="reviewed_hash",
        max_length=64,
        help_text=gettext_lazy("status.reviewedHash of the request as the approver has read it."),
    )


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
        account, proposal = spec["billing_account_ref"]["name"], _proposal(spec.get("proposal", {}))
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
            proposal=_proposal(spec.get("proposal", {})),
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


def _proposal(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the proposal as JSON, with the field names of the manifest."""
    proposal: dict[str, Any] = {}
    if "payment_terms" in spec:
        proposal["paymentTerms"] = spec["payment_terms"].as_json()
    if "hold" in spec:
        proposal["hold"] = str(spec["hold"])
    if "payer_change" in spec:
        proposal["payerChange"] = spec_of(spec["payer_change"]).as_json()
    if "project" in spec:
        proposal["project"] = spec["project"]
    proposal |= {key: precise_instant(spec[key]) for key in ("since", "until") if key in spec}
    if "evidence" in spec:
        proposal["evidence"] = spec["evidence"]
    if spec.get("currency_differs"):
        proposal["currencyDiffers"] = True
    if "parent" in spec:
        proposal["parentRef"] = {"name": spec["parent"]["name"]}
    if "payer" in spec:
        proposal["payer"] = spec["payer"]
    if "effective_from" in spec:
        proposal["effectiveFrom"] = f"{spec['effective_from']:%Y-%m}"
    return proposal
