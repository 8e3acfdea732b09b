"""The read subresources `usage` of a project and `unassignedusage` of an organization.

`usage_reports` gives accounts their `usage`, with the same parameters and answer.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.services.usage.assignments import unassigned
from billing.services.usage.reports import GRANULARITIES, GROUPS, TOTAL, Line, UsageQuery, of_project
from billing.usage.quantities import plain
from milo.access import Actor
from milo.card_numbers import excerpt
from milo.dates import time_zones
from milo.errors import Cause, Invalid
from milo.kube.fields import DayField, NamesField
from milo.kube.kinds import ReadSubresource
from milo.kube.schemas import NothingSerializer
from milo.kube.store.manifests import without_empty
from projects.models import Organization, Project

API_VERSION = "usage.milo.io/v1alpha1"
_PARAMETERS: dict[str, Any] = {
    "from": DayField(required=False, help_text=gettext_lazy("First day; default the first of this month.")),
    "to": DayField(required=False, help_text=gettext_lazy("The day after the last; default tomorrow.")),
    "granularity": serializers.ChoiceField(
        GRANULARITIES, required=False, default=TOTAL, help_text=gettext_lazy("A sum per day, per month, or in total.")
    ),
    "groupBy": NamesField(
        required=False,
        help_text=gettext_lazy(
            "Group the sums, besides by unit, by account, project, service or meter; several with commas, or repeated."
        ),
    ),
    "timeZone": serializers.CharField(
        required=False,
        help_text=gettext_lazy("IANA time zone of the days; default UTC, others for at most 92 days."),
    ),
}
# `from` is a Python keyword, so the class statement cannot name the field
UsageQuerySerializer: type[serializers.Serializer[Any]] = type(
    "UsageQuerySerializer", (serializers.Serializer,), _PARAMETERS
)


class UsageItemSerializer(serializers.Serializer[Any]):
    start = serializers.DateField(help_text=gettext_lazy("First day of the sum."))
    end = serializers.DateField(help_text=gettext_lazy("The day after its last."))
    account = serializers.CharField(
        required=False, help_text=gettext_lazy("The payer, if grouped by account; absent where nobody pays yet.")
    )
    project = serializers.CharField(required=False, help_text=gettext_lazy("The project, if grouped by project."))
    service = serializers.CharField(required=False, help_text=gettext_lazy("The service, if grouped by service."))
    meter = serializers.CharField(required=False, help_text=gettext_lazy("The meter, if grouped by meter."))
    unit = serializers.CharField(help_text=gettext_lazy("UCUM code; each unit has a sum of its own."))
    quantity = serializers.CharField(help_text=gettext_lazy("Decimal in a string."))
    events = serializers.IntegerField(help_text=gettext_lazy("Events in the sum, corrections included."))


UsageSerializer: type[serializers.Serializer[Any]] = type(
    "UsageSerializer",
    (serializers.Serializer,),
    {
        "apiVersion": serializers.CharField(help_text=gettext_lazy("usage.milo.io/v1alpha1.")),
        "kind": serializers.CharField(help_text=gettext_lazy("Usage.")),
        "name": serializers.CharField(help_text=gettext_lazy("Name of the account or project.")),
        "from": serializers.DateField(help_text=gettext_lazy("First day.")),
        "to": serializers.DateField(help_text=gettext_lazy("The day after the last.")),
        "granularity": serializers.ChoiceField(GRANULARITIES, help_text=gettext_lazy("day, month or total.")),
        "groupBy": serializers.ListField(
            child=serializers.CharField(), help_text=gettext_lazy("What the sums are grouped by besides the unit.")
        ),
        "timeZone": serializers.CharField(help_text=gettext_lazy("IANA time zone of the days.")),
        "items": UsageItemSerializer(many=True, help_text=gettext_lazy("The sums, in the order of their days.")),
    },
)
EXAMPLE: dict[str, Any] = {
    "apiVersion": API_VERSION,
    "kind": "Usage",
    "name": "webapp-frontend",
    "from": "2026-11-01",
    "to": "2026-12-01",
    "granularity": "month",
    "groupBy": ["service"],
    "timeZone": "UTC",
    "items": [
        {
            "start": "2026-11-01",
            "end": "2026-12-01",
            "service": "compute",
            "unit": "s",
            "quantity": "7201",
            "events": 2,
        }
    ],
}


def query_of(sent: dict[str, Any]) -> UsageQuery:
    """Return the usage query of validated parameters; days default to the current month.

    Raises `Invalid` for unknown groups and time zones.
    """
    by = tuple(sent.get("groupBy", ()))
    zone = sent.get("timeZone", "UTC")
    causes = []
    if unknown := [name for name in by if name not in GROUPS]:
        message = _("%(name)s is none of %(known)s") % {
            "name": excerpt(unknown[0], 80),
            "known": ", ".join(GROUPS),
        }
        causes.append(Cause("query.groupBy", message, "FieldValueNotSupported"))
    if zone not in time_zones():
        causes.append(Cause("query.timeZone", _("is no IANA time zone"), "FieldValueNotSupported"))
    if causes:
        raise Invalid.because(causes)
    default = UsageQuery.of_this_month(zone)
    start = sent.get("from", default.start)
    return UsageQuery(start, sent.get("to", default.end), sent["granularity"], by, zone)


def usage_document(name: str, query: UsageQuery, lines: Iterable[Line]) -> dict[str, Any]:
    """Return the answer of `usage` as JSON, for the account or project `name`."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Usage",
        "name": name,
        "from": query.start.isoformat(),
        "to": query.end.isoformat(),
        "granularity": query.granularity,
        "groupBy": list(query.by),
        "timeZone": query.zone,
        "items": [_item(line) for line in lines],
    }


def _item(line: Line) -> dict[str, Any]:
    return without_empty(
        {
            "start": line.start.isoformat(),
            "end": line.end.isoformat(),
            **line.of,
            "unit": line.unit,
            "quantity": plain(line.quantity),
            "events": line.events,
        }
    )


def table(answer: dict[str, Any]) -> Iterator[list[Any]]:
    """Yield the rows of an answer for CSV and Table, the column names first."""
    columns = ["start", "end", *(name for name in GROUPS if name in answer["groupBy"]), "unit", "quantity", "events"]
    yield columns
    for item in answer["items"]:
        yield [item.get(column, "") for column in columns]


def _usage(project: Project, sent: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    query = query_of(sent)
    return usage_document(project.name, query, of_project(project, query))


USAGE = ReadSubresource(
    "usage",
    _usage,
    UsageQuerySerializer,
    UsageSerializer,
    gettext_lazy("What the project used, whoever pays; as CSV where Accept asks for text/csv."),
    EXAMPLE,
    table=table,
)


class UnassignedItemSerializer(serializers.Serializer[Any]):
    project = serializers.CharField(help_text=gettext_lazy("The project, for which nobody paid at the time."))
    service = serializers.CharField(help_text=gettext_lazy("The service."))
    meter = serializers.CharField(help_text=gettext_lazy("The meter."))
    unit = serializers.CharField(help_text=gettext_lazy("UCUM code."))
    quantity = serializers.CharField(help_text=gettext_lazy("Decimal in a string."))
    events = serializers.IntegerField(help_text=gettext_lazy("Events in the sum."))
    first = serializers.DateField(help_text=gettext_lazy("Day (UTC) of the oldest."))
    last = serializers.DateField(help_text=gettext_lazy("Day (UTC) of the newest."))


class UnassignedSerializer(serializers.Serializer[Any]):
    items = UnassignedItemSerializer(many=True, help_text=gettext_lazy("Oldest first."))


def _unassigned(organization: Organization, sent: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    return {
        "items": [
            {
                "project": row["name"],
                "service": row["service"],
                "meter": row["counter"],
                "unit": row["unit"],
                "quantity": plain(row["amount"]),
                "events": row["count"],
                "first": row["first"].isoformat(),
                "last": row["last"].isoformat(),
            }
            for row in unassigned(organization)
        ]
    }


def _unassigned_table(answer: dict[str, Any]) -> Iterator[list[Any]]:
    columns = list(UnassignedItemSerializer().fields)
    yield columns
    for item in answer["items"]:
        yield [item[column] for column in columns]


UNASSIGNED = ReadSubresource(
    "unassignedusage",
    _unassigned,
    NothingSerializer,
    UnassignedSerializer,
    gettext_lazy("Usage for which nobody paid at its time; an approved AssignUsage request assigns it to an account."),
    {
        "items": [
            {
                "project": "webapp-frontend",
                "service": "compute",
                "meter": "cpu-time",
                "unit": "s",
                "quantity": "7201",
                "events": 2,
                "first": "2024-01-10",
                "last": "2024-01-15",
            }
        ]
    },
    # the role that reports charges may get organizations, but must not see the usage of their projects
    verb="list",
    table=_unassigned_table,
)
