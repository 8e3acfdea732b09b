"""The usage intake over HTTP: POST of one CloudEvent or a batch."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from billing.access import USAGE_EVENTS
from billing.api import usage_bodies
from billing.services.usage.intake import Receipt, report
from milo.errors import Conflict, Invalid
from milo.kube import queries
from milo.kube.discovery.endpoints import Endpoint, register
from milo.kube.views import KubeView

GROUP, VERSION = "usage.milo.io", "v1alpha1"


class CorrectedSerializer(serializers.Serializer[Any]):
    """The event that a correction corrects."""

    source = serializers.CharField(max_length=200, help_text=gettext_lazy("Its source."))  # type: ignore[assignment]
    id = serializers.CharField(max_length=200, help_text=gettext_lazy("Its id."))


class UsageDataSerializer(serializers.Serializer[Any]):
    """What was used."""

    service = serializers.CharField(max_length=100, help_text=gettext_lazy("The service that was used."))
    meter = serializers.CharField(max_length=100, help_text=gettext_lazy("What the service counts."))
    quantity = serializers.CharField(
        help_text=gettext_lazy("Decimal in a string: 20 digits, 12 after the point; negative in corrections only.")
    )
    unit = serializers.CharField(
        max_length=60, help_text=gettext_lazy("UCUM code; the first event of a meter fixes its unit.")
    )
    dimensions = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text=gettext_lazy("At most 20 strings; stored, but sums do not group by them."),
    )
    corrects = CorrectedSerializer(
        required=False, help_text=gettext_lazy("In a correction: the event to whose quantity this one is added.")
    )


class UsageEventSerializer(serializers.Serializer[Any]):
    """A usage event: CloudEvents 1.0 in JSON."""

    specversion = serializers.ChoiceField(["1.0"], help_text=gettext_lazy("1.0."))
    id = serializers.CharField(
        max_length=200, help_text=gettext_lazy("Unique within the source; a repeat is counted once.")
    )
    source = serializers.CharField(  # type: ignore[assignment]
        max_length=200, help_text=gettext_lazy("Who observed the usage, as a URI reference.")
    )
    type = serializers.CharField(max_length=200, help_text=gettext_lazy("Type of the event, as the source names it."))
    time = serializers.DateTimeField(
        help_text=gettext_lazy("Instant of the usage; the payer at that instant pays for it.")
    )
    subject = serializers.CharField(help_text=gettext_lazy("projects/NAME."))
    datacontenttype = serializers.ChoiceField(
        ["application/json"], required=False, help_text=gettext_lazy("application/json.")
    )
    dataschema = serializers.CharField(required=False, help_text=gettext_lazy("Not kept."))
    data = UsageDataSerializer(help_text=gettext_lazy("What was used."))  # type: ignore[assignment]


class RejectionSerializer(serializers.Serializer[Any]):
    """An event that was rejected."""

    index = serializers.IntegerField(help_text=gettext_lazy("Its place in the batch, from 0."))
    reason = serializers.CharField(help_text=gettext_lazy("A cause type of Kubernetes, or Conflict."))
    field = serializers.CharField(help_text=gettext_lazy("The attribute at fault."))
    message = serializers.CharField(help_text=gettext_lazy("What is wrong with it."))


@extend_schema_field({"type": "string", "enum": ["UsageReceipt"]})
class _KindField(serializers.CharField):
    pass


class ReceiptSerializer(serializers.Serializer[Any]):
    """The result of a batch."""

    apiVersion = serializers.CharField(help_text=gettext_lazy("usage.milo.io/v1alpha1."))
    kind = _KindField(help_text=gettext_lazy("UsageReceipt."))
    accepted = serializers.IntegerField(help_text=gettext_lazy("Events counted now."))
    duplicates = serializers.IntegerField(
        help_text=gettext_lazy("Events that were reported before with the same content.")
    )
    rejected = serializers.IntegerField(help_text=gettext_lazy("Events that were rejected; see rejections."))
    late = serializers.IntegerField(help_text=gettext_lazy("Accepted events older than MILO_USAGE_LATE_DAYS."))
    rejections = RejectionSerializer(many=True, help_text=gettext_lazy("Each rejected event, and why."))


EXAMPLE = {
    "specversion": "1.0",
    "id": "3f1c-2026-11-22T10",
    "source": "//compute.example/eu-1",
    "type": "io.milo.usage",
    "time": "2026-11-22T10:59:59Z",
    "subject": "projects/webapp-frontend",
    "data": {
        "service": "compute",
        "meter": "cpu-time",
        "quantity": "3600.5",
        "unit": "s",
        "dimensions": {"region": "eu-1"},
    },
}
RECEIPT_EXAMPLE = {
    "apiVersion": "usage.milo.io/v1alpha1",
    "kind": "UsageReceipt",
    "accepted": 1,
    "duplicates": 0,
    "rejected": 0,
    "late": 0,
    "rejections": [],
}


class UsageEventsView(KubeView):
    content_encodings = ("gzip",)

    def details(self) -> dict[str, Any]:
        return {}

    def post(self, request: Request) -> HttpResponse:
        """Accept events. The receipt lists the rejected events of a batch; a single event is refused with its cause."""
        # permission first: the body of a caller without it is not read
        self.actor.require("create", USAGE_EVENTS, None)
        queries.check_names(request.GET, queries.ACTION_PARAMETERS)
        sent = request._request
        encoding = sent.headers.get("Content-Encoding", "")
        # the stream, because the limit of Django on `body` is the same for all routes and too small here
        events, batch, raw = usage_bodies.read(sent, sent.content_type or "", encoding)
        return self.once(lambda: self._taken(events, batch), raw)

    def _taken(self, events: list[Any], batch: bool) -> HttpResponse:
        with self.acting():
            receipt = report(events, actor=self.actor)
        if receipt.rejections and not batch:
            cause = receipt.rejections[0].cause
            raise Conflict(cause.message, [cause]) if cause.reason == "Conflict" else Invalid.because([cause])
        return self.plain.respond(_receipt_document(receipt))


def _receipt_document(receipt: Receipt) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "UsageReceipt",
        "accepted": receipt.accepted,
        "duplicates": receipt.duplicates,
        "rejected": len(receipt.rejections),
        "late": receipt.late,
        "rejections": [
            {
                "index": rejection.index,
                "reason": rejection.cause.reason,
                "field": rejection.cause.field,
                "message": rejection.cause.message,
            }
            for rejection in receipt.rejections
        ],
    }


register(
    Endpoint(GROUP, VERSION, "events", "UsageEvent", USAGE_EVENTS, UsageEventsView, body_limit=usage_bodies.MAX_BYTES)
)
