"""The read subresource `billinghistory` of a project: its payers over time."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.api import examples
from billing.api.payer_locks import PastPayerLockSerializer, past_locks
from billing.models import BillingAccountBinding, PayerCorrection, PayerLock
from billing.services.affiliations.past import Months, clipped, others_over, payer_as_known
from billing.services.past import Payer, payer_at
from milo.access import Actor
from milo.kube.fields import ChoiceField, InstantField
from milo.kube.kinds import ReadSubresource
from milo.kube.store.manifests import precise_instant, without_empty
from projects.models import Project

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
Others = Mapping[int, list[Months]]
NOBODY: Others = {}


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


_PAYERS_OF_RECORD = gettext_lazy("The months in which another account was invoiced for it, oldest first.")
PastPayerOfRecordSerializer: type[serializers.Serializer[Any]] = type(
    "PastPayerOfRecordSerializer",
    (serializers.Serializer,),
    {
        "payerOfRecord": serializers.CharField(help_text=gettext_lazy("Name of the account that was invoiced.")),
        # a Python keyword, so the class statement cannot name the field
        "from": serializers.CharField(help_text=gettext_lazy("The first month (UTC), such as 2027-02.")),
        "until": serializers.CharField(
            required=False, help_text=gettext_lazy("The month from which it no longer was; absent: from then on.")
        ),
    },
)
PastCorrectionSerializer: type[serializers.Serializer[Any]] = type(
    "PastCorrectionSerializer",
    (serializers.Serializer,),
    {
        # a Python keyword, so the class statement cannot name the field
        "from": serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) from which the account should pay.")),
        "until": serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) from which it no longer should.")),
        "account": serializers.CharField(help_text=gettext_lazy("Name of the billing account.")),
        "payersOfRecord": PastPayerOfRecordSerializer(many=True, required=False, help_text=_PAYERS_OF_RECORD),
        "recordedAt": serializers.DateTimeField(
            help_text=gettext_lazy("Instant (UTC) since which the ledger knows; the latest correction counts.")
        ),
        "request": serializers.CharField(help_text=gettext_lazy("Name of the approval request that allowed it.")),
    },
)


class HistoryItemSerializer(serializers.Serializer[Any]):
    binding = serializers.CharField(
        required=False,
        help_text=gettext_lazy("Name of the binding; absent for a time without one that a correction covers."),
    )
    account = serializers.CharField(
        required=False,
        help_text=gettext_lazy("Name of the billing account of the binding; with `at`, of the one that pays."),
    )
    phase = ChoiceField(
        BillingAccountBinding.Phase.choices,
        required=False,
        help_text=gettext_lazy("Active, Superseded or Ended."),
    )
    establishedAt = serializers.DateTimeField(
        required=False, help_text=gettext_lazy("Instant (UTC) from which the account pays.")
    )
    endedAt = serializers.DateTimeField(
        required=False, help_text=gettext_lazy("Instant (UTC) from which it no longer does.")
    )
    endReason = ChoiceField(
        BillingAccountBinding.EndReason.choices,
        required=False,
        help_text=gettext_lazy("Superseded or ProjectArchived."),
    )
    supersededBy = serializers.CharField(required=False, help_text=gettext_lazy("Name of the binding that took over."))
    correctedBy = serializers.CharField(
        required=False,
        help_text=gettext_lazy("With `at`: name of the approval request of the correction that names the account."),
    )
    corrections = PastCorrectionSerializer(
        many=True,
        required=False,
        help_text=gettext_lazy("The corrections that cover a part of this time, in the order of their recording."),
    )
    payerOfRecord = serializers.CharField(
        required=False,
        help_text=gettext_lazy("With `at`: who is invoiced for that account; absent where it is the account."),
    )
    payersOfRecord = PastPayerOfRecordSerializer(many=True, required=False, help_text=_PAYERS_OF_RECORD)


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
    """Return the timeline of a project: all its bindings with the corrections that lie over them, oldest first.

    With `at` (UTC), return only who paid at that instant; with `asKnownAt` too, as the ledger knew it at that later
    instant.
    """
    locks: Iterable[PayerLock] = []
    if at := query.get("at"):
        known_at = query.get("asKnownAt")
        payer = payer_at(project, at, known_at)
        items = [_at(payer, at, known_at)] if payer else []
    else:
        items = [*_timeline(project)]
        locks = PayerLock.objects.filter(project=project).order_by("pk")
    answer = {
        "kind": "BillingHistory",
        "apiVersion": "resources.milo.io/v1alpha1",
        "project": project.name,
        "items": items,
    }
    return answer | without_empty({"locks": past_locks(locks)})


def _timeline(project: Project) -> Iterable[dict[str, Any]]:
    """Yield the bindings of a project; between them, as items without a binding, what corrections alone cover."""
    of_project = PayerCorrection.objects.filter(project=project).select_related("account", "request")
    corrections = list(of_project.order_by("recorded_at"))
    bindings, end = list(BillingAccountBinding.objects.timeline(project)), FIRST
    others = others_over({*(each.account_id for each in bindings), *(each.account_id for each in corrections)})
    for binding in bindings:
        yield from _unbound(corrections, end, binding.established_at, others)
        until = end = binding.ended_at or LAST
        covering = _overlapping(corrections, binding.established_at, until)
        yield _item(binding, covering, others)
    yield from _unbound(corrections, end, LAST, others)


def _overlapping(corrections: Iterable[PayerCorrection], start: datetime, end: datetime) -> list[PayerCorrection]:
    return [each for each in corrections if each.starts_at < end and each.ends_at > start]


def _unbound(
    corrections: Iterable[PayerCorrection], start: datetime, end: datetime, others: Others
) -> Iterable[dict[str, Any]]:
    """Yield an item for each stretch without a gap that corrections cover in a time without a binding."""
    covering = sorted(_overlapping(corrections, start, end), key=lambda each: each.starts_at)
    while covering:
        since, until = covering[0].starts_at, covering[0].ends_at
        for each in covering:
            until = max(until, each.ends_at) if each.starts_at <= until else until
        yield {
            "establishedAt": precise_instant(max(start, since)),
            "endedAt": precise_instant(min(end, until)),
            "corrections": [_correction(each, others) for each in _overlapping(corrections, since, until)],
        }
        covering = [each for each in covering if each.starts_at > until]


def _at(payer: Payer, at: datetime, known_at: datetime | None) -> dict[str, Any]:
    """Return who paid at an instant, and who is invoiced for that account, with the corrections that were known."""
    return _paying(payer, at, known_at) | _invoiced(payer, at, known_at)


def _paying(payer: Payer, at: datetime, known_at: datetime | None) -> dict[str, Any]:
    correction = payer.corrected_by
    if correction is None:
        assert payer.binding
        return _item(payer.binding)
    covering = PayerCorrection.objects.filter(project=correction.project_id, recorded_at__lte=known_at or LAST)
    known = covering.covering(at).select_related("account", "request").order_by("recorded_at")
    item = _item(payer.binding, known) if payer.binding else _unbound_at(correction, known)
    return item | {"account": correction.account.name, "correctedBy": correction.request.name}


def _invoiced(payer: Payer, at: datetime, known_at: datetime | None) -> dict[str, Any]:
    if payer.payer_of_record_id == payer.account.pk:
        return {}
    invoiced = payer_as_known(payer.account, at, known_at)
    return {} if invoiced.pk == payer.account.pk else {"payerOfRecord": invoiced.name}


def _unbound_at(correction: PayerCorrection, known: Iterable[PayerCorrection]) -> dict[str, Any]:
    interval = {"establishedAt": correction.starts_at, "endedAt": correction.ends_at}
    shown = {name: precise_instant(at) for name, at in interval.items()}
    return shown | {"corrections": [_correction(each) for each in known]}


def _item(
    binding: BillingAccountBinding, corrections: Iterable[PayerCorrection] = (), others: Others = NOBODY
) -> dict[str, Any]:
    interval = responsibility(binding)
    interval.pop("currentAccount")
    months = clipped(others.get(binding.account_id, ()), binding.established_at, binding.ended_at)
    item = {"binding": binding.name, "account": binding.account.name, "payersOfRecord": _months(months)}
    item |= {"phase": binding.phase, **interval}
    return without_empty(item | {"corrections": [_correction(each, others) for each in corrections]})


def _correction(correction: PayerCorrection, others: Others = NOBODY) -> dict[str, Any]:
    months = clipped(others.get(correction.account_id, ()), correction.starts_at, correction.ends_at)
    return without_empty(
        {
            "from": precise_instant(correction.starts_at),
            "until": precise_instant(correction.ends_at),
            "account": correction.account.name,
            "payersOfRecord": _months(months),
            "recordedAt": precise_instant(correction.recorded_at),
            "request": correction.request.name,
        }
    )


def _months(spans: Iterable[Months]) -> list[dict[str, Any]]:
    return [
        without_empty(
            {
                "payerOfRecord": each.payer,
                "from": f"{each.start:%Y-%m}",
                "until": each.until and f"{each.until:%Y-%m}",
            }
        )
        for each in spans
    ]


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
