"""Affiliations as a Kubernetes kind: an account under another from a month on."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from billing.access import AFFILIATIONS
from billing.access import CANCEL as CANCEL_ACTION
from billing.api.examples_of_affiliations import AFFILIATION, CANCEL
from billing.api.usage_reports import MonthField
from billing.models import BillingAccountAffiliation
from billing.services.affiliations.cancellations import cancel
from billing.services.affiliations.creation import create_affiliation, month_of, relabel_affiliation
from billing.services.affiliations.specs import AffiliationSpec
from milo.access import Actor
from milo.kube.fields import ChoiceField, ReferenceSerializer, StringField
from milo.kube.kinds import Action, Column, Kind, ObjectInput, register
from milo.kube.models import ResourceQuerySet
from milo.kube.schemas import ConditionSerializer
from milo.kube.store.manifests import condition, precise_instant, without_empty
from milo.kube.store.objects import refuse_other_spec

_REASON = gettext_lazy("Why, for the people who read of it.")
_FACTS = (
    BillingAccountAffiliation.Phase.ACTIVE,
    BillingAccountAffiliation.Phase.SUPERSEDED,
    BillingAccountAffiliation.Phase.ENDED,
)


class AffiliationSpecSerializer(serializers.Serializer[Any]):
    billingAccountRef = ReferenceSerializer(source="account", help_text=gettext_lazy("The account below."))
    parentRef = ReferenceSerializer(
        source="parent",
        required=False,
        help_text=gettext_lazy("The account above; without it the account stands alone again."),
    )
    payer = ChoiceField(
        BillingAccountAffiliation.Payer.choices,
        required=False,
        help_text=gettext_lazy(
            "Parent: who is invoiced for the parent is for this account too; the default with a parent. Self: the"
            " account is reported under the parent and pays itself."
        ),
    )
    effectiveFrom = MonthField(
        source="effective_from",
        required=False,
        help_text=gettext_lazy(
            "The first month (UTC): the next by default, at most 12 ahead. The present one only for an account that"
            " never had a binding or usage."
        ),
    )
    reason = StringField(max_length=2000, help_text=_REASON)


class AffiliationStatusSerializer(serializers.Serializer[Any]):
    phase = ChoiceField(
        BillingAccountAffiliation.Phase.choices,
        help_text=gettext_lazy("Scheduled, Active, Superseded, Ended, Cancelled or Failed."),
    )
    createdBy = serializers.CharField(help_text=gettext_lazy("Who created it."))
    activatedAt = serializers.DateTimeField(
        required=False, help_text=gettext_lazy("Since when (UTC) the ledger knows it as a fact, however late.")
    )
    endedFrom = serializers.CharField(required=False, help_text=gettext_lazy("The first month without it."))
    insteadOf = ReferenceSerializer(
        required=False,
        help_text=gettext_lazy("The plan of the account that it cancelled; that one's condition says so."),
    )
    supersededBy = serializers.CharField(required=False, help_text=gettext_lazy("The affiliation that took over."))
    payerOfRecord = ReferenceSerializer(
        required=False, help_text=gettext_lazy("Who is invoiced for the account now, while it is Active.")
    )
    conditions = ConditionSerializer(
        many=True,
        help_text=gettext_lazy(
            "WillTakeEffect: it could become a fact as things were at the last look, else the message says why not;"
            " while it is planned. TakenEffect: it became a fact, else the message says why not."
        ),
    )


class CancelAffiliationSpecSerializer(serializers.Serializer[Any]):
    reason = StringField(max_length=2000, help_text=_REASON)


@register
class BillingAccountAffiliationKind(Kind):
    group, kind, plural = "billing.milo.io", "BillingAccountAffiliation", AFFILIATIONS
    singular, short_names = "billingaccountaffiliation", ("baf",)
    contended = "billingAccountRef"
    fixed_spec = True
    # who is payer of record follows from other affiliations, too
    live = True
    description = gettext_lazy(
        "An account under another from a month on: who answers for it, and who is invoiced. Immutable; a new one"
        " supersedes it."
    )
    model = BillingAccountAffiliation
    spec_serializer, status_serializer = AffiliationSpecSerializer, AffiliationStatusSerializer
    columns = (
        Column("Child", lambda m: m["spec"]["billingAccountRef"]["name"]),
        Column("Parent", lambda m: m["spec"].get("parentRef", {}).get("name", "")),
        Column("Payer", lambda m: m["spec"]["payer"]),
        Column("From", lambda m: m["spec"]["effectiveFrom"]),
        Column("Phase", lambda m: m["status"]["phase"]),
        Column("Reason", lambda m: m["spec"]["reason"], wide=True),
    )
    field_selectors = {
        "spec.billingAccountRef.name": "account__name",
        "spec.parentRef.name": "parent__name",
        "status.phase": "phase",
    }
    example = AFFILIATION
    undeletable = gettext_lazy("an affiliation is never deleted: cancel the plan, or create one that supersedes it")
    actions = (
        Action(
            "cancel",
            lambda row, spec, *, actor: cancel(row.pk, **spec, actor=actor),
            CancelAffiliationSpecSerializer,
            gettext_lazy("Cancel a plan; what was before goes on."),
            CANCEL,
            CANCEL_ACTION,
        ),
    )

    def queryset(self) -> ResourceQuerySet[BillingAccountAffiliation]:
        related = ("organization", "account", "account__paid_by", "parent", "superseded_by")
        return BillingAccountAffiliation.objects.select_related(*related)

    def spec(self, row: BillingAccountAffiliation) -> dict[str, Any]:
        return without_empty(
            {
                "billingAccountRef": {"name": row.account.name},
                "parentRef": row.parent and {"name": row.parent.name},
                "payer": row.payer,
                "effectiveFrom": f"{row.effective_from:%Y-%m}",
                "reason": row.reason,
            }
        )

    def status(self, row: BillingAccountAffiliation) -> dict[str, Any]:
        active = row.phase == BillingAccountAffiliation.Phase.ACTIVE
        return without_empty(
            {
                "phase": row.phase,
                "createdBy": row.created_by,
                "activatedAt": row.activated_at and precise_instant(row.activated_at),
                "endedFrom": row.ended_from and f"{row.ended_from:%Y-%m}",
                "insteadOf": {"name": row.instead_of} if row.instead_of else None,
                "supersededBy": row.superseded_by.name if hasattr(row, "superseded_by") else "",
                "payerOfRecord": {"name": (row.account.paid_by or row.account).name} if active else None,
                "conditions": _conditions(row),
            }
        )

    def normalized(self, spec: dict[str, Any], row: BillingAccountAffiliation | None) -> dict[str, Any]:
        sent = _spec(spec)
        month = row.effective_from if row and sent.effective_from is None else month_of(sent)
        return without_empty(
            {
                "billingAccountRef": {"name": sent.account},
                "parentRef": sent.parent and {"name": sent.parent},
                "payer": sent.payer or sent.default_payer,
                "effectiveFrom": f"{month:%Y-%m}",
                "reason": sent.reason,
            }
        )

    def create(self, body: ObjectInput, *, actor: Actor) -> BillingAccountAffiliation:
        assert body.organization_id
        return create_affiliation(body.organization_id, body.name, _spec(body.spec), body.metadata, actor=actor)

    def update(
        self, row: BillingAccountAffiliation, body: ObjectInput, *, actor: Actor, resource_version: int | None
    ) -> BillingAccountAffiliation:
        refuse_other_spec(self, row, body.spec, _("is fixed; create another affiliation, which supersedes this one"))
        return relabel_affiliation(row.pk, body.metadata, actor=actor, resource_version=resource_version)


def _spec(sent: dict[str, Any]) -> AffiliationSpec:
    return AffiliationSpec(
        account=sent["account"]["name"],
        reason=sent["reason"],
        parent=sent["parent"]["name"] if "parent" in sent else "",
        payer=sent.get("payer", ""),
        effective_from=sent.get("effective_from"),
    )


def _conditions(row: BillingAccountAffiliation) -> list[dict[str, Any]]:
    taken = row.phase in _FACTS
    since = row.activated_at or row.finished_at or row.created_at
    message = row.outcome if row.phase not in _FACTS else ""
    effect = condition("TakenEffect", taken, since, row.phase, message, row.generation)
    if row.phase != BillingAccountAffiliation.Phase.SCHEDULED:
        return [effect]
    reason = "Obstacle" if row.obstacle else "NoObstacle"
    looked = row.obstacle_since or row.created_at
    will = condition("WillTakeEffect", not row.obstacle, looked, reason, row.obstacle, row.generation)
    return [will, effect]
