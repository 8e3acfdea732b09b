"""The read subresource `usage` and the action `closeusage` of a billing account."""

from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.usage import EXAMPLE, UsageQuerySerializer, UsageSerializer, query_of, table, usage_document
from billing.models import BillingAccount
from billing.services.affiliations.scopes import OWN, SCOPES, of_scope
from billing.services.closed_months import close_month
from billing.usage.times import EARLIEST, LATEST
from milo.access import Actor
from milo.dates import parse_month
from milo.kube.fields import StringField
from milo.kube.kinds import Action, ReadSubresource

AccountUsageQuerySerializer: type[serializers.Serializer[Any]] = type(
    "AccountUsageQuerySerializer",
    (UsageQuerySerializer,),
    {
        "scope": serializers.ChoiceField(
            SCOPES,
            required=False,
            default=OWN,
            error_messages={"invalid_choice": gettext_lazy("must be own, paid or subtree")},
            help_text=gettext_lazy(
                "own: what is bound to the account; paid: what it is payer of record of; subtree: its own and all"
                " below it."
            ),
        )
    },
)
AccountUsageSerializer: type[serializers.Serializer[Any]] = type(
    "AccountUsageSerializer",
    (UsageSerializer,),
    {"scope": serializers.CharField(required=False, help_text=gettext_lazy("paid or subtree; left out for own."))},
)


def _usage(account: BillingAccount, sent: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    query, scope = query_of(sent), sent["scope"]
    document = usage_document(account.name, query, of_scope(account, query, scope))
    return document if scope == OWN else {**document, "scope": scope}


USAGE = ReadSubresource(
    "usage",
    _usage,
    AccountUsageQuerySerializer,
    AccountUsageSerializer,
    gettext_lazy(
        "What the account pays for: the events at whose time it was the payer; as CSV where Accept asks for text/csv."
    ),
    EXAMPLE | {"name": "acme-corp-us", "scope": "paid"},
    table=table,
)


@extend_schema_field({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"})
class MonthField(serializers.Field[date, Any, str, Any]):
    """A month in ISO 8601, such as `2026-11`; read as its first day."""

    default_error_messages = {"form": gettext_lazy("must be a month, such as 2026-11")}

    def to_internal_value(self, data: Any) -> date:
        try:
            month = parse_month(str(data))
        except ValueError:
            self.fail("form")
        if not EARLIEST <= month < LATEST:
            message = _("must lie between %(earliest)s and %(latest)s")
            raise serializers.ValidationError(message % {"earliest": EARLIEST, "latest": LATEST})
        return month

    def to_representation(self, value: date) -> str:
        return f"{value:%Y-%m}"


class CloseUsageSpecSerializer(serializers.Serializer[Any]):
    month = MonthField(help_text=gettext_lazy("The month (UTC) to close, together with all months before it."))
    reason = StringField(max_length=2000, help_text=gettext_lazy("Why: for example the invoice made from it."))


def _close(account: BillingAccount, spec: dict[str, Any], *, actor: Actor) -> BillingAccount:
    return close_month(account.pk, spec["month"], reason=spec["reason"], actor=actor).account


CLOSE_USAGE = Action(
    "closeusage",
    _close,
    CloseUsageSpecSerializer,
    gettext_lazy("Close a month: events that arrive for it later count as corrections in the first open month."),
    {"month": "2024-01", "reason": "Invoiced as invoice-2024-001."},
)
