"""The spec, the status and the actions of approval requests, as they are sent and shown."""

from typing import Any

from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.api.payer_change_serializers import PayerChangeSpecSerializer, spec_of
from billing.api.serializers import PaymentTermsSerializer
from billing.api.usage_reports import MonthField
from billing.models import ApprovalRequest, BillingAccountAffiliation
from milo.kube.fields import BooleanField, ChoiceField, InstantField, ReferenceSerializer, StringField
from milo.kube.schemas import ConditionSerializer
from milo.kube.store.manifests import precise_instant


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


def proposal_of(spec: dict[str, Any]) -> dict[str, Any]:
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
