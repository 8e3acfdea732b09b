"""Payer changes as a Kubernetes kind: plans by which an account becomes the payer of many projects."""

from typing import Any

from django.db.models import Case, Count, IntegerField, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.access import PAYER_CHANGES
from billing.api.examples_of_payer_changes import CANCEL, PAYER_CHANGE, RETRY
from billing.api.payer_change_readings import ITEMS, PREVIEW, preview_document
from billing.api.payer_change_serializers import (
    CancelSpecSerializer,
    PayerChangeSpecSerializer,
    PayerChangeStatusSerializer,
    RetrySpecSerializer,
    spec_of,
)
from billing.models import PayerChange, PayerChangeItem
from billing.services.payer_changes import conditions
from billing.services.payer_changes.cancellations import cancel
from billing.services.payer_changes.creation import create_payer_change, relabel_payer_change
from billing.services.payer_changes.outcomes import summary
from billing.services.payer_changes.previews import preview_of_change
from billing.services.payer_changes.retries import retry
from billing.services.payer_changes.sets import PayerChangeSpec
from milo import audit
from milo.access import Actor
from milo.kube.kinds import Action, Column, Kind, ObjectInput, register
from milo.kube.models import ResourceQuerySet
from milo.kube.store.manifests import condition, precise_instant, without_empty
from milo.kube.store.objects import refuse_other_spec

_COUNTED = {phase: f"{phase.lower()}_now" for phase in PayerChangeItem.Phase.values}


def _counts(phase: str) -> Any:
    """Return the number of items in `phase`; 0 for a change that has ended, whose own columns say it."""
    items = PayerChangeItem.objects.filter(change=OuterRef("pk"), phase=phase).order_by()
    number = Subquery(items.values("change").annotate(number=Count("pk")).values("number"))
    return Case(
        When(phase__in=PayerChange.OPEN, then=Coalesce(number, 0)), default=Value(0), output_field=IntegerField()
    )


@register
class PayerChangeKind(Kind):
    group, kind, plural, singular = "billing.milo.io", "PayerChange", PAYER_CHANGES, "payerchange"
    short_names = ("pch",)
    contended = "toAccountRef"
    # progress, and whether the new payer is Ready, are those of other rows
    live = True
    fixed_spec = True
    description = gettext_lazy(
        "A plan that an account becomes the payer of projects at an instant, or now; its bindings are the facts."
    )
    model = PayerChange
    spec_serializer, status_serializer = PayerChangeSpecSerializer, PayerChangeStatusSerializer
    columns = (
        Column("To", lambda m: m["spec"]["toAccountRef"]["name"]),
        Column("Effective", lambda m: m["status"]["effectiveAt"]),
        Column("Phase", lambda m: m["status"]["phase"]),
        Column("Projects", lambda m: m["status"]["counts"]["total"], type="integer"),
        Column("Done", lambda m: m["status"]["counts"]["done"], type="integer"),
        Column("Failed", lambda m: m["status"]["counts"]["failed"], type="integer"),
        Column("Reason", lambda m: m["spec"]["reason"], wide=True),
    )
    field_selectors = {"spec.toAccountRef.name": "account__name", "status.phase": "phase"}
    example = PAYER_CHANGE
    undeletable = gettext_lazy("a payer change is never deleted: cancel it")
    read_subresources = (ITEMS, PREVIEW)
    actions = (
        Action(
            "cancel",
            lambda row, spec, *, actor: cancel(row.pk, **spec, actor=actor),
            CancelSpecSerializer,
            gettext_lazy("Cancel what is pending, all of it or some projects; what is done stays done."),
            CANCEL,
        ),
        Action(
            "retry",
            lambda row, spec, *, actor: retry(row.pk, **spec, actor=actor),
            RetrySpecSerializer,
            gettext_lazy("Take failed projects up again, effective from now on; nothing is backdated."),
            RETRY,
        ),
    )

    def queryset(self) -> ResourceQuerySet[PayerChange]:
        rows = PayerChange.objects.select_related("organization", "account__paid_by", "source")
        return rows.annotate(**{name: _counts(phase) for phase, name in _COUNTED.items()}).foreseen()

    def spec(self, row: PayerChange) -> dict[str, Any]:
        return PayerChangeSpec(
            account=row.account.name,
            reason=row.reason,
            projects=row.projects,
            source=row.source.name if row.source else "",
            labels=row.project_selector["matchLabels"] if row.project_selector else None,
            effective_at=None if row.at_once else row.effective_at,
            atomic=row.atomic,
        ).as_json()

    def status(self, row: PayerChange) -> dict[str, Any]:
        counts = _counts_of(row)
        status = {
            "phase": row.phase,
            "effectiveAt": precise_instant(row.effective_at),
            "createdBy": row.created_by,
            "finishedAt": row.finished_at and precise_instant(row.finished_at),
            "counts": counts,
            "conditions": _conditions(row, counts),
        }
        if audit.is_dry_run():
            status["preview"] = preview_document(preview_of_change(row))
        return without_empty(status)

    def normalized(self, spec: dict[str, Any], row: PayerChange | None) -> dict[str, Any]:
        return spec_of(spec).as_json()

    def create(self, body: ObjectInput, *, actor: Actor) -> PayerChange:
        assert body.organization_id
        spec = spec_of(body.spec)
        return create_payer_change(body.organization_id, body.name, spec, body.metadata, actor=actor)

    def update(self, row: PayerChange, body: ObjectInput, *, actor: Actor, resource_version: int | None) -> PayerChange:
        refuse_other_spec(self, row, body.spec, _("is fixed; cancel this payer change and create another one"))
        return relabel_payer_change(row.pk, body.metadata, actor=actor, resource_version=resource_version)


def _counts_of(row: PayerChange) -> dict[str, int]:
    if row.phase in PayerChange.OPEN:
        counts = {phase.lower(): getattr(row, name) for phase, name in _COUNTED.items()}
    else:
        counts = {"pending": 0, "done": row.done, "failed": row.failed, "cancelled": row.cancelled}
    return {"total": sum(counts.values()), **counts}


def _conditions(row: PayerChange, counts: dict[str, int]) -> list[dict[str, Any]]:
    phase = row.phase
    ended = phase not in PayerChange.OPEN
    since = row.finished_at or row.created_at
    message = summary({name.capitalize(): number for name, number in counts.items() if name != "total"})
    complete = condition(
        "Complete", phase == PayerChange.Phase.COMPLETED, since, phase, message if ended else "", row.generation
    )
    if ended:
        return [complete]
    obstacle = conditions.obstacle_of(row)
    reason = "ProjectsCannotMove" if obstacle else "AccountReady"
    if obstacle and conditions.obstacle(row.account):
        reason = "AccountNotReady"
    since = max(row.created_at, row.account.phase_since)
    return [condition("WillTakeEffect", not obstacle, since, reason, obstacle, row.generation), complete]
