"""The read subresource `billinghistory` of a project: its payers over time."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.api import examples
from billing.api.payer_locks import PastPayerLockSerializer, past_locks
from billing.models import BillingAccountBinding, PayerLock
from billing.services.past import payer_at
from milo.access import Actor
from milo.kube.fields import ChoiceField, InstantField
from milo.kube.kinds import ReadSubresource
from milo.kube.store.manifests import precise_instant, without_empty
from projects.models import Project


class HistoryQuerySerializer(serializers.Serializer[Any]):
    at = InstantField(
        required=False,
        help_text=gettext_lazy("An instant (RFC 3339): return only the payer at that instant."),
    )
    asKnownAt = InstantField(
        required=False,
        help_text=gettext_lazy("An instant (RFC 3339), with `at`: answer as the ledger knew it at that instant."),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "asKnownAt" in attrs and "at" not in attrs:
            raise serializers.ValidationError({"asKnownAt": _("needs at")})
        return attrs


class HistoryItemSerializer(serializers.Serializer[Any]):
    binding = serializers.CharField(help_text=gettext_lazy("Name of the binding."))
    account = serializers.CharField(help_text=gettext_lazy("Name of the billing account."))
    phase = ChoiceField(BillingAccountBinding.Phase.choices, help_text=gettext_lazy("Active, Superseded or Ended."))
    establishedAt = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) from which the account pays."))
    endedAt = serializers.DateTimeField(
        required=False, help_text=gettext_lazy("Instant (UTC) from which it no longer does.")
    )
    endReason = ChoiceField(
        BillingAccountBinding.EndReason.choices,
        required=False,
        help_text=gettext_lazy("Superseded or ProjectArchived."),
    )
    supersededBy = serializers.CharField(required=False, help_text=gettext_lazy("Name of the binding that took over."))


class HistorySerializer(serializers.Serializer[Any]):
    """The timeline of a project."""

    apiVersion = serializers.CharField(help_text=gettext_lazy("resources.milo.io/v1alpha1."))
    kind = serializers.CharField(help_text=gettext_lazy("BillingHistory."))
    project = serializers.CharField(help_text=gettext_lazy("Name of the project."))
    items = HistoryItemSerializer(
        many=True, help_text=gettext_lazy("Oldest first; with `at`, the one in force then, if any.")
    )
    locks = PastPayerLockSerializer(
        many=True,
        required=False,
        help_text=gettext_lazy("The locks of the payer, oldest first; absent with `at`."),
    )


def billing_history(project: Project, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    """Return the timeline of a project: all its bindings, oldest first.

    With `at` (UTC), return only the binding in force at that instant; with `asKnownAt` too, as the ledger knew it at
    that later instant.
    """
    bindings: Iterable[BillingAccountBinding] = BillingAccountBinding.objects.timeline(project)
    locks: Iterable[PayerLock] = PayerLock.objects.filter(project=project).order_by("pk")
    if at := query.get("at"):
        binding = payer_at(project, at, query.get("asKnownAt"))
        bindings = [binding] if binding else []
        locks = []
    answer = {
        "kind": "BillingHistory",
        "apiVersion": "resources.milo.io/v1alpha1",
        "project": project.name,
        "items": [_item(binding) for binding in bindings],
    }
    return answer | without_empty({"locks": past_locks(locks)})


def _item(binding: BillingAccountBinding) -> dict[str, Any]:
    interval = responsibility(binding)
    interval.pop("currentAccount")
    item = {"binding": binding.name, "account": binding.account.name, "phase": binding.phase}
    return without_empty(item | interval)


def responsibility(row: BillingAccountBinding) -> dict[str, Any]:
    """Return the interval of a binding and its successor. Instants are UTC to the microsecond, as stored."""
    successor = getattr(row, "superseded_by", None)
    return {
        "establishedAt": precise_instant(row.established_at),
        "endedAt": row.ended_at and precise_instant(row.ended_at),
        "endReason": row.end_reason,
        "currentAccount": row.account.name if row.ended_at is None else "",
        "supersededBy": successor.name if successor else "",
    }


BILLING_HISTORY = ReadSubresource(
    "billinghistory",
    billing_history,
    HistoryQuerySerializer,
    HistorySerializer,
    gettext_lazy("The payers of the project over time, or with `at` the payer at that instant."),
    examples.BILLING_HISTORY,
)
