"""How the OpenAPI documents describe the usage intake."""

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
from milo.access import TABLE
from milo.kube.openapi import parameters
from milo.kube.openapi.operations import Operation, operation


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
