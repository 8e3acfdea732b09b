"""The read subresources of payer changes, `items` and `preview`, and `plannedpayer` of projects."""

from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.api import examples_of_payer_changes as examples
from billing.api.pages import metadata_of, page_metadata, paged_query
from billing.models import PayerChange, PayerChangeItem
from billing.services.payer_changes import conditions, plans
from billing.services.payer_changes.previews import Preview, preview_of_change
from milo import continue_tokens
from milo.access import Actor
from milo.errors import Cause, Invalid
from milo.kube.fields import ChoiceField
from milo.kube.kinds import ReadSubresource
from milo.kube.schemas import NothingSerializer
from milo.kube.store.manifests import precise_instant, without_empty
from projects.models import Project

AT_MOST = 1000
"""Items on one page."""
_ITEMS = "items of payer change"
ItemsQuerySerializer = paged_query(
    "PayerChangeItemsQuerySerializer",
    AT_MOST,
    gettext_lazy("Items on one page, at most 1000; a CSV file has all of them."),
    phase=serializers.ChoiceField(
        PayerChangeItem.Phase.choices, required=False, help_text=gettext_lazy("Only items in this phase.")
    ),
)


class ItemSerializer(serializers.Serializer[Any]):
    project = serializers.CharField(help_text=gettext_lazy("Name of the project."))
    phase = ChoiceField(PayerChangeItem.Phase.choices, help_text=gettext_lazy("Pending, Done, Failed or Cancelled."))
    reason = serializers.CharField(required=False, help_text=gettext_lazy("Why it did not move, for programs."))
    message = serializers.CharField(required=False, help_text=gettext_lazy("Why it did not move, for people."))
    effectiveAt = serializers.DateTimeField(
        help_text=gettext_lazy("Instant (UTC) from which the account pays; of a retry its own.")
    )
    binding = serializers.CharField(required=False, help_text=gettext_lazy("Name of the binding that it became."))
    settledAt = serializers.DateTimeField(required=False, help_text=gettext_lazy("When it moved or failed (UTC)."))


PageSerializer = page_metadata("PayerChangeItemsPageSerializer")


class ItemsSerializer(serializers.Serializer[Any]):
    metadata = PageSerializer(required=False, help_text=gettext_lazy("Left out on the last page."))
    items = ItemSerializer(many=True, help_text=gettext_lazy("In the order in which they move, at most limit."))


class PayerCountSerializer(serializers.Serializer[Any]):
    account = serializers.CharField(help_text=gettext_lazy("The account that pays now."))
    projects = serializers.IntegerField(help_text=gettext_lazy("How many of the projects it pays for."))


class NamedProjectSerializer(serializers.Serializer[Any]):
    project = serializers.CharField(help_text=gettext_lazy("Name of the project."))
    reason = serializers.CharField(help_text=gettext_lazy("Why it does not move, for programs."))
    message = serializers.CharField(help_text=gettext_lazy("Why it does not move, for people."))


class MovedUsageSerializer(serializers.Serializer[Any]):
    service = serializers.CharField(help_text=gettext_lazy("The service."))
    meter = serializers.CharField(help_text=gettext_lazy("The meter."))
    unit = serializers.CharField(help_text=gettext_lazy("UCUM code."))
    last30Days = serializers.CharField(help_text=gettext_lazy("Usage of the last 30 days; a decimal in a string."))
    presentMonth = serializers.CharField(help_text=gettext_lazy("Usage of this month (UTC); a decimal in a string."))


class FindingSerializer(serializers.Serializer[Any]):
    severity = serializers.CharField(help_text=gettext_lazy("Error or Warning."))
    field = serializers.CharField(help_text=gettext_lazy("The field of the new payer."))
    message = serializers.CharField(help_text=gettext_lazy("What the rules of its country say of it."))


class MovePreviewSerializer(serializers.Serializer[Any]):
    projects = serializers.IntegerField(help_text=gettext_lazy("Projects that would move."))
    payers = PayerCountSerializer(many=True, required=False, help_text=gettext_lazy("Who pays for them now."))
    unboundCount = serializers.IntegerField(help_text=gettext_lazy("How many of them nobody pays for."))
    unbound = serializers.ListField(
        child=serializers.CharField(), required=False, help_text=gettext_lazy("Of these, the first 100.")
    )
    locked = NamedProjectSerializer(
        many=True, required=False, help_text=gettext_lazy("Projects whose payer is locked, the first 100.")
    )
    refused = NamedProjectSerializer(
        many=True, required=False, help_text=gettext_lazy("Projects that cannot move or did not, the first 100.")
    )
    obstacle = serializers.CharField(
        required=False, help_text=gettext_lazy("Why none of them could move now; absent where they could.")
    )
    usage = MovedUsageSerializer(many=True, required=False, help_text=gettext_lazy("Usage of these projects."))
    currencies = serializers.ListField(
        child=serializers.CharField(), required=False, help_text=gettext_lazy("Currencies of those who pay now.")
    )
    currencyAfter = serializers.CharField(help_text=gettext_lazy("Currency of the new payer."))
    findings = FindingSerializer(
        many=True, required=False, help_text=gettext_lazy("What the rules of its country say of the new payer.")
    )
    notIncludedCount = serializers.IntegerField(
        help_text=gettext_lazy("Projects that would be chosen now and were not when it was created.")
    )
    notIncluded = serializers.ListField(
        child=serializers.CharField(), required=False, help_text=gettext_lazy("Of these, the first 100.")
    )


class PlannedPayerSerializer(serializers.Serializer[Any]):
    project = serializers.CharField(help_text=gettext_lazy("Name of the project."))
    account = serializers.CharField(
        required=False, help_text=gettext_lazy("The account that will pay; absent where nothing is planned.")
    )
    at = serializers.DateTimeField(required=False, help_text=gettext_lazy("Instant (UTC) from which it will."))
    payerChange = serializers.CharField(required=False, help_text=gettext_lazy("Name of the payer change."))
    obstacle = serializers.CharField(
        required=False, help_text=gettext_lazy("Why it would not take effect as things are; absent where it would.")
    )


def _items(row: PayerChange, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    items = PayerChangeItem.objects.filter(change=row).select_related("project", "binding").order_by("id")
    if "phase" in query:
        items = items.filter(phase=query["phase"])
    if "continue" in query:
        items = items.filter(id__gt=_after(query["continue"], row))
    limit = query.get("limit", AT_MOST)
    page = list(items[: limit + 1])
    token = continue_tokens.seal([row.pk, page[limit - 1].pk], _ITEMS) if len(page) > limit else ""
    return metadata_of(token) | {"items": [_item(item) for item in page[:limit]]}


def _after(token: str, row: PayerChange) -> int:
    try:
        change_id, last = continue_tokens.unseal(token, _ITEMS)
    except continue_tokens.Malformed:
        change_id = last = 0
    if change_id != row.pk:
        message = _("is no token of these items; begin again without it")
        raise Invalid.because([Cause("query.continue", message)])
    return int(last)


def _item(item: PayerChangeItem) -> dict[str, Any]:
    return without_empty(
        {
            "project": item.project.name,
            "phase": item.phase,
            "reason": item.reason,
            "message": item.message,
            "effectiveAt": precise_instant(item.effective_at),
            "binding": item.binding.name if item.binding else "",
            "settledAt": item.settled_at and precise_instant(item.settled_at),
        }
    )


def preview_document(preview: Preview) -> dict[str, Any]:
    """Return a preview as JSON."""
    return without_empty(
        {
            "projects": preview.projects,
            "payers": [{"account": name, "projects": number} for name, number in preview.payers],
            "unboundCount": preview.unbound_count,
            "unbound": list(preview.unbound),
            "locked": [asdict(each) for each in preview.locked],
            "refused": [asdict(each) for each in preview.refused],
            "obstacle": preview.obstacle,
            "usage": [
                {
                    "service": each.service,
                    "meter": each.meter,
                    "unit": each.unit,
                    "last30Days": each.last_30_days,
                    "presentMonth": each.present_month,
                }
                for each in preview.usage
            ],
            "currencies": list(preview.currencies),
            "currencyAfter": preview.currency_after,
            "findings": list(preview.findings),
            "notIncludedCount": preview.not_included_count,
            "notIncluded": list(preview.not_included),
        }
    )


def _preview(row: PayerChange, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    return preview_document(preview_of_change(row))


def _preview_table(answer: dict[str, Any]) -> Any:
    yield ("project", "reason", "message")
    for each in (*answer.get("locked", ()), *answer.get("refused", ())):
        yield (each["project"], each["reason"], each["message"])


def _planned(row: Project, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    item = plans.open_item(row.pk)
    if item is None:
        return {"project": row.name}
    change = PayerChange.objects.select_related("account").get(pk=item.change_id)
    # with the columns that the rules of a bind read
    item.project = row
    own = conditions.refusals([item], change.account).get(item.pk)
    return without_empty(
        {
            "project": row.name,
            "account": change.account.name,
            "at": precise_instant(item.effective_at),
            "payerChange": change.name,
            "obstacle": conditions.obstacle(change.account) or (own.message if own else ""),
        }
    )


def _planned_table(answer: dict[str, Any]) -> Any:
    columns = tuple(PlannedPayerSerializer().fields)
    yield columns
    yield tuple(answer.get(column, "") for column in columns)


ITEMS = ReadSubresource(
    "items",
    _items,
    ItemsQuerySerializer,
    ItemsSerializer,
    gettext_lazy("What became of each project, and why not; in pages, or all of them as CSV."),
    examples.ITEMS,
)
PREVIEW = ReadSubresource(
    "preview",
    _preview,
    NothingSerializer,
    MovePreviewSerializer,
    gettext_lazy("What would move as things are now: payers, usage, currencies, findings, and what stands in the way."),
    examples.PREVIEW,
    table=_preview_table,
)
PLANNED_PAYER = ReadSubresource(
    "plannedpayer",
    _planned,
    NothingSerializer,
    PlannedPayerSerializer,
    gettext_lazy("Who will pay for the project, from when on, and by which payer change."),
    examples.PLANNED_PAYER,
    table=_planned_table,
)
