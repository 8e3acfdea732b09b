"""The time line of a project: who paid, from when until when."""

from typing import Any

from django.utils.translation import gettext_lazy

from billing.api.kinds import responsibility
from billing.api.serializers import HistoryQuerySerializer, HistorySerializer
from billing.models import BillingAccountBinding
from milo.access import Actor
from milo.kube.kinds import Reading
from milo.kube.manifests import without_empty
from projects.models import Project


def billing_history(project: Project, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    """Every binding of `project`, oldest first; with `at` (UTC), the one in force at that instant, if any."""
    bindings = BillingAccountBinding.objects.timeline(project)
    if at := query.get("at"):
        bindings = bindings.paying(at)
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


BILLING_HISTORY = Reading(
    "billinghistory",
    billing_history,
    HistoryQuerySerializer,
    HistorySerializer,
    gettext_lazy("The project's time line of payers, or with `at` who paid at that instant."),
)
