"""The spec, the status and the acts of payer changes, as they are sent and shown."""

from typing import Any

from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.api.payer_change_readings import MovePreviewSerializer
from billing.models import PayerChange
from billing.services.payer_changes.sets import AT_MOST, PayerChangeSpec
from milo.kube.fields import BooleanField, ChoiceField, InstantField, ReferenceSerializer, StringField, StringListField
from milo.kube.schemas import ConditionSerializer

_REASON = gettext_lazy("Why, for the people who read of it.")


class ProjectSelectorSerializer(serializers.Serializer[Any]):
    matchLabels = serializers.DictField(
        source="labels", child=StringField(allow_blank=True), help_text=gettext_lazy("Labels that each project has.")
    )


class PayerChangeSpecSerializer(serializers.Serializer[Any]):
    projects = StringListField(
        max_length=AT_MOST,
        required=False,
        help_text=gettext_lazy("Names of the projects. Exactly one of the three ways to choose them; at most 10,000."),
    )
    fromAccountRef = ReferenceSerializer(
        source="source",
        required=False,
        help_text=gettext_lazy("All projects that this account pays for when the payer change is created."),
    )
    projectSelector = ProjectSelectorSerializer(
        source="selector",
        required=False,
        help_text=gettext_lazy("All active projects that have these labels when the payer change is created."),
    )
    toAccountRef = ReferenceSerializer(source="account", help_text=gettext_lazy("The account that becomes the payer."))
    effectiveAt = InstantField(
        source="effective_at",
        required=False,
        help_text=gettext_lazy("From when on it pays: at most 1 year ahead; now by default."),
    )
    atomic = BooleanField(
        required=False,
        default=False,
        help_text=gettext_lazy("All projects move or none, at most 200; else each by itself."),
    )
    reason = StringField(max_length=2000, help_text=_REASON)


def spec_of(sent: dict[str, Any]) -> PayerChangeSpec:
    """Return the spec of a validated manifest."""
    return PayerChangeSpec(
        account=sent["account"]["name"],
        reason=sent["reason"],
        projects=sent.get("projects"),
        source=sent["source"]["name"] if "source" in sent else "",
        labels=sent["selector"]["labels"] if "selector" in sent else None,
        effective_at=sent.get("effective_at"),
        atomic=sent.get("atomic", False),
    )


class CountsSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField(help_text=gettext_lazy("Projects of the payer change."))
    pending = serializers.IntegerField(help_text=gettext_lazy("Projects that have yet to move."))
    done = serializers.IntegerField(help_text=gettext_lazy("Projects that moved."))
    failed = serializers.IntegerField(help_text=gettext_lazy("Projects that could not move; their payer stays."))
    cancelled = serializers.IntegerField(help_text=gettext_lazy("Projects that will not move."))


class PayerChangeStatusSerializer(serializers.Serializer[Any]):
    phase = ChoiceField(
        PayerChange.Phase.choices,
        help_text=gettext_lazy("Scheduled, InProgress, Completed, PartlyCompleted, Failed or Cancelled."),
    )
    effectiveAt = serializers.DateTimeField(
        help_text=gettext_lazy("Instant (UTC) from which the account pays, however late the projects are moved.")
    )
    createdBy = serializers.CharField(help_text=gettext_lazy("Who created it."))
    finishedAt = serializers.DateTimeField(required=False, help_text=gettext_lazy("When the last project settled."))
    counts = CountsSerializer(help_text=gettext_lazy("The projects by what became of them."))
    conditions = ConditionSerializer(
        many=True,
        help_text=gettext_lazy(
            "WillTakeEffect: the projects could move as things are, else the message says why not; while it is open."
            " Complete: every project moved that was not cancelled."
        ),
    )
    preview = MovePreviewSerializer(
        required=False, help_text=gettext_lazy("With dryRun=All: what would move. The subresource preview has it too.")
    )


class CancelSpecSerializer(serializers.Serializer[Any]):
    reason = StringField(max_length=2000, help_text=_REASON)
    projects = StringListField(
        max_length=AT_MOST, required=False, help_text=gettext_lazy("Only these projects; all by default.")
    )


class RetrySpecSerializer(serializers.Serializer[Any]):
    reason = StringField(max_length=2000, help_text=_REASON)
