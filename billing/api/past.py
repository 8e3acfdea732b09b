"""Read subresources of an account's past: its state and its projects at an instant, and its timeline of events."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.api import examples
from billing.api.pages import metadata_of, page_metadata, paged_query
from billing.models import BillingAccount
from billing.services import timeline_table
from billing.services.affiliations.past import as_of
from billing.services.affiliations.scopes import OWN, SCOPES, projects_of_scope
from billing.services.timeline import AT_MOST, Cursor
from billing.services.timeline_table import readable_timeline
from milo.access import Actor
from milo.errors import NotFound
from milo.kube.fields import InstantField
from milo.kube.kinds import ReadSubresource, kind_of
from milo.kube.store.manifests import precise_instant, without_empty


class InstantQuerySerializer(serializers.Serializer[Any]):
    at = InstantField(required=False, help_text=gettext_lazy("An instant (RFC 3339); now by default."))


HistoryQuerySerializer = paged_query(
    "AccountHistoryQuerySerializer",
    AT_MOST,
    gettext_lazy("Events on one page, at most 1000; a CSV file has all of them."),
    before=InstantField(
        required=False, help_text=gettext_lazy("An instant (RFC 3339): only events before it; now by default.")
    ),
)


class PaidForQuerySerializer(InstantQuerySerializer):
    scope = serializers.ChoiceField(
        SCOPES,
        required=False,
        default=OWN,
        error_messages={"invalid_choice": gettext_lazy("must be own, paid or subtree")},
        help_text=gettext_lazy(
            "own: what is bound to the account; paid: what it is payer of record of; subtree: its own and all below it."
        ),
    )


class AsOfSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text=gettext_lazy("The instant (UTC) of the answer."))
    name = serializers.CharField(help_text=gettext_lazy("Name of the account."))
    spec = serializers.DictField(help_text=gettext_lazy("The spec of the account as it was, terms included."))
    status = serializers.DictField(help_text=gettext_lazy("The status of the account as it was."))


class PaidForItemSerializer(serializers.Serializer[Any]):
    project = serializers.CharField(help_text=gettext_lazy("Name of the project."))
    binding = serializers.CharField(help_text=gettext_lazy("Name of the binding."))
    account = serializers.CharField(
        required=False, help_text=gettext_lazy("Name of the account that the project is bound to; left out for own.")
    )
    establishedAt = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) from which the account paid."))
    endedAt = serializers.DateTimeField(
        required=False, help_text=gettext_lazy("Instant (UTC) from which it no longer did.")
    )


class PaidForSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text=gettext_lazy("The instant (UTC) of the answer."))
    scope = serializers.CharField(required=False, help_text=gettext_lazy("paid or subtree; left out for own."))
    items = PaidForItemSerializer(many=True, help_text=gettext_lazy("Sorted by the names of the projects."))


class ChangeSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text=gettext_lazy("The changed field."))
    before = serializers.JSONField(help_text=gettext_lazy("Its value before the change; null where it had none."))
    after = serializers.JSONField(help_text=gettext_lazy("Its value after the change; null where it has none."))


class TimelineEventSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) of the event."))
    kind = serializers.CharField(
        help_text=gettext_lazy("Kind of the object, for example BillingAccount or Suspension.")
    )
    name = serializers.CharField(help_text=gettext_lazy("Name of the object, or its uid where it has no name."))
    reason = serializers.CharField(help_text=gettext_lazy("What happened, as one word for programs."))
    message = serializers.CharField(required=False, help_text=gettext_lazy("Why, for people."))
    actor = serializers.CharField(help_text=gettext_lazy("Who did it."))
    requestID = serializers.CharField(required=False, help_text=gettext_lazy("X-Request-ID of the request."))
    credential = serializers.CharField(
        required=False, help_text=gettext_lazy("The credential that the actor used, such as `token:12`; for staff.")
    )
    credentialMaker = serializers.CharField(
        required=False, help_text=gettext_lazy("Who created that credential, where it was somebody else; for staff.")
    )
    approval = serializers.UUIDField(
        required=False, help_text=gettext_lazy("The uid of the approval request that allowed it.")
    )
    changes = ChangeSerializer(many=True, required=False, help_text=gettext_lazy("What it changed."))


PageSerializer = page_metadata("TimelinePageSerializer")


class TimelineSerializer(serializers.Serializer[Any]):
    metadata = PageSerializer(required=False, help_text=gettext_lazy("Left out on the last page."))
    items = TimelineEventSerializer(many=True, help_text=gettext_lazy("Newest first, at most limit."))


def _as_of(row: BillingAccount, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    at = query.get("at") or timezone.now()
    account, kind = as_of(row, at), kind_of(BillingAccount)
    if account is None:
        raise NotFound(_("billing account %(name)s had not been opened yet") % {"name": row.name})
    assert kind
    return {
        "at": precise_instant(at),
        "name": row.name,
        "spec": without_empty(kind.spec(account)),
        "status": without_empty(kind.status(account)),
    }


def _paid_for(row: BillingAccount, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    at, scope = query.get("at") or timezone.now(), query["scope"]
    items = [
        without_empty(
            {
                "project": binding.project.name,
                "binding": binding.name,
                "account": binding.account.name if scope != OWN else "",
                "establishedAt": precise_instant(binding.established_at),
                "endedAt": binding.ended_at and precise_instant(binding.ended_at),
            }
        )
        for binding in projects_of_scope(row, at, scope)
    ]
    return {"at": precise_instant(at)} | ({} if scope == OWN else {"scope": scope}) | {"items": items}


def _history(row: BillingAccount, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    after = Cursor.parse(query["continue"]) if "continue" in query else None
    limit = query.get("limit", AT_MOST)
    events, following = readable_timeline(row, query.get("before"), after, limit=limit, actor=actor)
    return metadata_of(str(following or "")) | {"items": [timeline_table.as_json(event) for event in events]}


def _as_of_table(answer: dict[str, Any]) -> Iterable[Sequence[Any]]:
    kind = kind_of(BillingAccount)
    assert kind
    manifest = {"metadata": {"name": answer["name"]}, "spec": answer["spec"], "status": answer["status"]}
    columns = [column for column in kind.columns if not column.wide]
    yield ("name", "at", *(column.name for column in columns))
    yield (answer["name"], answer["at"], *(column.cell(manifest) for column in columns))


AS_OF = ReadSubresource(
    "asof",
    _as_of,
    InstantQuerySerializer,
    AsOfSerializer,
    gettext_lazy("The account, with its terms, as it was at an instant."),
    examples.AS_OF,
    table=_as_of_table,
)
PAID_FOR = ReadSubresource(
    "projects",
    _paid_for,
    PaidForQuerySerializer,
    PaidForSerializer,
    gettext_lazy("The projects that the account paid for at an instant."),
    examples.PAID_FOR,
)
HISTORY = ReadSubresource(
    "history",
    _history,
    HistoryQuerySerializer,
    TimelineSerializer,
    gettext_lazy("All events of the account: who, when, why, and by which approval; also as CSV."),
    examples.HISTORY,
    table=lambda answer: timeline_table.rows(answer["items"]),
)
PAST_READ_SUBRESOURCES = (AS_OF, PAID_FOR, HISTORY)
