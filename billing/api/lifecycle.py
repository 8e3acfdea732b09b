"""Actions and read subresources of an account from Ready on: suspensions, holds and the closure checklist."""

from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any

from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.api import examples
from billing.api.payment_schedules import PAYMENT_SCHEDULE
from billing.models import BillingAccount, Hold, Suspension
from billing.reason_codes import EVIDENCE, ReasonCode
from billing.services import holds, suspensions
from billing.services.approvals import closures
from milo.access import Actor
from milo.kube.fields import ChoiceField, StringField
from milo.kube.kinds import Action, ReadSubresource
from milo.kube.schemas import NothingSerializer
from milo.kube.store.manifests import precise_instant, without_empty


class SuspendSpecSerializer(serializers.Serializer[Any]):
    reasonCode = ChoiceField(
        ReasonCode.choices, source="reason_code", help_text=gettext_lazy("Why, as one word for programs.")
    )
    message = StringField(max_length=2000, help_text=gettext_lazy("Why, as customers read it in their notice."))
    internalNote = StringField(
        source="internal_note",
        max_length=2000,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("For staff only; customers never see it."),
    )


class ResolveSpecSerializer(serializers.Serializer[Any]):
    suspension = serializers.UUIDField(help_text=gettext_lazy("The uid of the open suspension."))
    evidence = serializers.DictField(
        child=StringField(max_length=suspensions.MAX_EVIDENCE_LENGTH),
        help_text=gettext_lazy(
            "The references that the reason code requires, by name; see the subresource suspensions."
        ),
    )


class HoldSpecSerializer(serializers.Serializer[Any]):
    type = ChoiceField(["LegalHold", "Dispute"], help_text=gettext_lazy("LegalHold or Dispute."))
    message = StringField(
        max_length=2000,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("Why the account is on hold, as customers read it."),
    )
    internalNote = StringField(
        source="reason",
        max_length=2000,
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("For staff only; customers never see it."),
    )


class PreviewSpecSerializer(serializers.Serializer[Any]):
    reasonCode = ChoiceField(
        ReasonCode.choices, source="reason_code", help_text=gettext_lazy("As in the action suspend.")
    )
    message = StringField(max_length=2000, help_text=gettext_lazy("As in the action suspend."))


class PreviewSerializer(serializers.Serializer[Any]):
    projects = serializers.ListField(
        child=serializers.CharField(), help_text=gettext_lazy("Names of the projects bound.")
    )
    recipients = serializers.ListField(child=serializers.CharField(), help_text=gettext_lazy("Who would get a notice."))
    subject = serializers.CharField(help_text=gettext_lazy("Subject of the notice."))
    text = serializers.CharField(
        help_text=gettext_lazy("Text of the notice, as it would be sent for the first of the projects.")
    )


class BlockerSerializer(serializers.Serializer[Any]):
    type = ChoiceField(
        [
            "BillingAccountBinding",
            "BillingAccountAffiliation",
            "Organization",
            "PayerChange",
            "Charge",
            "Hold",
            "ApprovalRequest",
        ],
        help_text=gettext_lazy(
            "BillingAccountBinding, BillingAccountAffiliation, Organization, PayerChange, Charge, Hold or"
            " ApprovalRequest."
        ),
    )
    name = serializers.CharField(help_text=gettext_lazy("Name of the object; the uid of a hold."))
    message = serializers.CharField(help_text=gettext_lazy("What stands in the way."))
    fix = serializers.CharField(help_text=gettext_lazy("What removes it."))
    who = serializers.CharField(help_text=gettext_lazy("Who may do that."))


class ChecklistSerializer(serializers.Serializer[Any]):
    closable = serializers.BooleanField(help_text=gettext_lazy("Whether a closure could be requested now."))
    blockers = BlockerSerializer(many=True, help_text=gettext_lazy("What stands in the way; empty where nothing does."))


class SuspensionSerializer(serializers.Serializer[Any]):
    uid = serializers.UUIDField(help_text=gettext_lazy("Identifies the suspension in the action resolvesuspension."))
    reasonCode = ChoiceField(ReasonCode.choices, help_text=gettext_lazy("Why, as one word for programs."))
    message = serializers.CharField(help_text=gettext_lazy("Why, as customers read it."))
    internalNote = serializers.CharField(required=False, help_text=gettext_lazy("Shown to staff only."))
    suspendedAt = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) of the suspension."))
    suspendedBy = serializers.CharField(help_text=gettext_lazy("Who suspended the account."))
    evidenceAskedFor = serializers.ListField(
        child=serializers.CharField(), help_text=gettext_lazy("Names of the references that resolve it.")
    )
    evidence = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text=gettext_lazy("The references that resolved it, by name."),
    )
    resolvedAt = serializers.DateTimeField(
        required=False, help_text=gettext_lazy("Instant (UTC) when it was resolved.")
    )
    resolvedBy = serializers.CharField(required=False, help_text=gettext_lazy("Who resolved it."))


class HoldSerializer(serializers.Serializer[Any]):
    uid = serializers.UUIDField(help_text=gettext_lazy("Identifies the hold in a request for its release."))
    type = ChoiceField(["LegalHold", "Dispute"], help_text=gettext_lazy("LegalHold or Dispute."))
    message = serializers.CharField(
        required=False, help_text=gettext_lazy("Why the account is on hold, as customers read it.")
    )
    internalNote = serializers.CharField(required=False, help_text=gettext_lazy("Shown to staff only."))
    setAt = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) since which the account is on hold."))
    setBy = serializers.CharField(help_text=gettext_lazy("Who set the hold."))
    releasedAt = serializers.DateTimeField(required=False, help_text=gettext_lazy("Instant (UTC) of the release."))
    releasedBy = serializers.CharField(required=False, help_text=gettext_lazy("Who approved the release."))


class HoldsSerializer(serializers.Serializer[Any]):
    items = HoldSerializer(many=True, help_text=gettext_lazy("Oldest first."))


class SuspensionsSerializer(serializers.Serializer[Any]):
    items = SuspensionSerializer(many=True, help_text=gettext_lazy("Oldest first."))


def _suspend(row: BillingAccount, spec: dict[str, Any], *, actor: Actor) -> BillingAccount:
    return suspensions.suspend(row.pk, **spec, actor=actor)


def _resolve(row: BillingAccount, spec: dict[str, Any], *, actor: Actor) -> BillingAccount:
    return suspensions.resolve(row.pk, spec["suspension"], evidence=spec["evidence"], actor=actor)


def _hold(row: BillingAccount, spec: dict[str, Any], *, actor: Actor) -> BillingAccount:
    return holds.set_hold(row.pk, **spec, actor=actor).account


def _preview(row: BillingAccount, spec: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    return suspensions.preview(row, **spec, actor=actor)


def _checklist(row: BillingAccount, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    blockers = [asdict(blocker) for blocker in closures.blockers(row)]
    return {"closable": not blockers and row.phase in closures.CLOSABLE, "blockers": blockers}


def _checklist_table(answer: dict[str, Any]) -> Iterator[list[str]]:
    columns = [field.name for field in fields(closures.Blocker)]
    yield columns
    for blocker in answer["blockers"]:
        yield [blocker[column] for column in columns]


def _suspensions(row: BillingAccount, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    # internal notes are for those who may suspend
    staff = actor.may("create", "billingaccounts", row.organization_id, action="suspend")
    rows = Suspension.objects.filter(account=row).order_by("pk")
    return {"items": [_suspension_item(suspension, staff) for suspension in rows]}


def _suspension_item(row: Suspension, staff: bool) -> dict[str, Any]:
    return without_empty(
        {
            "uid": str(row.uid),
            "reasonCode": row.reason_code,
            "message": row.message,
            "internalNote": row.internal_note if staff else "",
            "suspendedAt": precise_instant(row.suspended_at),
            "suspendedBy": row.suspended_by,
            "evidenceAskedFor": list(EVIDENCE[row.reason_code].references),
            "evidence": row.evidence,
            "resolvedAt": row.resolved_at and precise_instant(row.resolved_at),
            "resolvedBy": row.resolved_by,
        }
    )


def _holds(row: BillingAccount, query: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    staff = holds.may_read_notes(row, actor)
    return {"items": [_hold_item(hold, staff) for hold in Hold.objects.filter(account=row).order_by("pk")]}


def _hold_item(row: Hold, staff: bool) -> dict[str, Any]:
    return without_empty(
        {
            "uid": str(row.uid),
            "type": row.type,
            "message": row.message,
            "internalNote": row.reason if staff else "",
            "setAt": precise_instant(row.set_at),
            "setBy": row.set_by,
            "releasedAt": row.released_at and precise_instant(row.released_at),
            "releasedBy": row.released_by,
        }
    )


ACCOUNT_ACTIONS = (
    Action(
        "suspend",
        _suspend,
        SuspendSpecSerializer,
        gettext_lazy("Suspend the account, or add a reason to a suspended one."),
        examples.SUSPEND,
    ),
    Action(
        "suspendpreview",
        _preview,
        PreviewSpecSerializer,
        gettext_lazy("What suspend would do; changes nothing."),
        examples.SUSPEND,
        permission="suspend",
        response=PreviewSerializer,
        response_example=examples.SUSPEND_PREVIEW,
    ),
    Action(
        "resolvesuspension",
        _resolve,
        ResolveSpecSerializer,
        gettext_lazy("Resolve one suspension with its evidence."),
        examples.RESOLVE_SUSPENSION,
    ),
    Action(
        "hold",
        _hold,
        HoldSpecSerializer,
        gettext_lazy("Keep the account from being closed and its data from being purged."),
        examples.HOLD,
    ),
)
ACCOUNT_READ_SUBRESOURCES = (
    ReadSubresource(
        "closurechecklist",
        _checklist,
        NothingSerializer,
        ChecklistSerializer,
        gettext_lazy("Everything that keeps the account from being closed."),
        examples.CLOSURE_CHECKLIST,
        table=_checklist_table,
    ),
    ReadSubresource(
        "suspensions",
        _suspensions,
        NothingSerializer,
        SuspensionsSerializer,
        gettext_lazy("Every suspension: who, when, why, and what resolved it."),
        examples.SUSPENSIONS,
    ),
    ReadSubresource(
        "holds",
        _holds,
        NothingSerializer,
        HoldsSerializer,
        gettext_lazy("Every hold: who, when, why, and when it was released."),
        examples.HOLDS,
    ),
    PAYMENT_SCHEDULE,
)
