"""How the OpenAPI documents describe the usage intake and the FOCUS export."""

from drf_spectacular.types import OpenApiTypes

from billing.access import USAGE_EVENTS
from billing.api.usage_bodies import BATCH
from billing.api.usage_events import (
    EXAMPLE,
    GROUP,
    RECEIPT_EXAMPLE,
    VERSION,
    ReceiptSerializer,
    UsageEventSerializer,
    UsageEventsView,
)
from billing.api.usage_files import PARQUET
from billing.api.usage_focus import FocusQuerySerializer, UsageFocusView
from billing.usage.focus import COLUMNS
from milo.access import TABLE
from milo.kube.kinds import Kind
from milo.kube.openapi import manifests, parameters
from milo.kube.openapi.operations import Operation, about, allowed, operation, place
from milo.spreadsheets import CSV

# kubectl explain needs a schema for each kind in discovery
manifests.known(UsageEventSerializer, "UsageEvent", f"{GROUP}/{VERSION}")


@operation.register
def _report(view: UsageEventsView, method: str, path: str) -> Operation:
    roles = sorted({rule.role for rule in TABLE if rule.allows("create", USAGE_EVENTS)})
    return Operation(
        id="createUsageEvents",
        summary="Report usage: a batch of CloudEvents",
        description=(
            "At most 10,000 events and 10 MiB, gzip or not. Each is accepted, a duplicate or rejected by itself. A"
            " single event (application/cloudevents+json) is answered alike; what is wrong with it is a refusal."
            f" Allowed to: {', '.join(roles)}."
        ),
        tag="UsageEvent",
        action="post",
        of={"group": GROUP, "version": VERSION, "kind": "UsageEvent"},
        parameters=(parameters.DRY_RUN,),
        body=UsageEventSerializer(many=True),
        body_example=[EXAMPLE],  # type: ignore[arg-type]
        body_type=BATCH,
        answer=ReceiptSerializer,
        answer_example=RECEIPT_EXAMPLE,
        refuses=(409, 413, 415, 422),
    )


@operation.register
def _export(view: UsageFocusView, method: str, path: str) -> Operation:
    kind: Kind = view.kind
    return Operation(
        **about(kind, "read", "get", "UsageFocus"),
        summary="Read the usage of a month as a FOCUS 1.2 file",
        description=(
            "A stream of CSV, or of Parquet where Accept asks for it and pyarrow is installed. Costs are null."
            f" {allowed(kind, 'get')}"
        ),
        parameters=(*place(kind), FocusQuerySerializer),
        answer=OpenApiTypes.BINARY,
        answer_types=(CSV, PARQUET),
        answer_example=",".join(COLUMNS),
        refuses=(404, 422),
    )
