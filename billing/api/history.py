"""The time line of a project: who paid, from when until when."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy

from billing.models import BillingAccountBinding
from billing.services.past import payer_at
from milo.access import Actor
from milo.kube.kinds import Reading
from milo.kube.manifests import precise_instant, without_empty
from projects.api import examples
from projects.api.serializers import HistoryQuerySerializer, HistorySerializer
from projects.models import Project


def billing_history(project: Project, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    """Every binding of `project`, oldest first; with `at` (UTC), the one in force then, as known at `asKnownAt`."""
    bindings: Iterable[BillingAccountBinding] = BillingAccountBinding.objects.timeline(project)
    if at := query.get("at"):
        found = payer_at(project, at, query.get("asKnownAt"))
        bindings = [found] if found else []
    return {
        "kind": "BillingHistory",
        "apiVersion": "resources.milo.io/v1alpha1",
        "project": project.name,
        "items": [_item(binding) for binding in bindings],
    }


def _item(binding: BillingAccountBinding) -> dict[str, Any]:
    interval = responsibility(binding)
    interval.pop("currentAccount")
    item = {"binding": binding.name, "account": binding.account.name, "phase": binding.phase}
    return without_empty(item | interval)


def responsibility(row: BillingAccountBinding) -> dict[str, Any]:
    """Since when, until when, and who took over: instants in UTC to the microsecond, as the ledger has them."""
    successor = getattr(row, "superseded_by", None)
    return {
        "establishedAt": precise_instant(row.established_at),
        "endedAt": row.ended_at and precise_instant(row.ended_at),
        "endReason": row.end_reason,
        "currentAccount": row.account.name if row.ended_at is None else "",
        "supersededBy": successor.name if successor else "",
    }


BILLING_HISTORY = Reading(
    "billinghistory",
    billing_history,
    HistoryQuerySerializer,
    HistorySerializer,
    gettext_lazy("The project's time line of payers, or with `at` who paid at that instant."),
    examples.BILLING_HISTORY,
)
