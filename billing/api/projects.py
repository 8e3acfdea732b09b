"""Extension of the kind Project: payer and its lock, billing history, usage, and archiving with the binding."""

from collections.abc import Sequence
from typing import Any

from django.db.models import F, FilteredRelation, Prefetch, Q
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from billing.api.examples import BILLED_PROJECT
from billing.api.history import BILLING_HISTORY
from billing.api.payer_assigned import assigned, with_default
from billing.api.payer_change_readings import PLANNED_PAYER
from billing.api.payer_locks import PAYER_LOCK_ACTIONS, PayerLockSerializer, shown_lock, with_lock
from billing.api.usage import USAGE
from billing.models import BillingAccount, BillingAccountBinding
from billing.models.binding import paid_by
from billing.services.projects import archive_project
from milo.compiled_queries import CompiledQuery, Param
from milo.kube.kinds import Action, Column, register
from milo.kube.models import ResourceQuerySet
from milo.kube.schemas import ConditionSerializer, NothingSerializer
from milo.kube.store.manifests import condition, precise_instant, without_empty
from projects.api.kinds import ProjectKind
from projects.api.serializers import ProjectStatusSerializer
from projects.models import Project

_PAYER_STATE = ("name", "phase", "phase_since", "phase_reason", "phase_message")
# load only the shown columns of the payer: the many others of an account would dominate the query
_ACCOUNTS = ("account", "account__paid_by")
_OF_PAYER = ("project_id", "established_at", *(f"{each}__{column}" for each in _ACCOUNTS for column in _PAYER_STATE))
_PLANNED = ("planned_at", "planned_change", "planned_account")
_OF_PROJECT = [f"project__{column.name}" for column in Project._meta.concrete_fields]
_PROJECT = CompiledQuery(
    lambda: with_default(_with_plan(Project.objects.select_related("organization").filter(pk=Param("project"))))
)
_PAYING = CompiledQuery(
    lambda: _with_plan(
        with_lock(BillingAccountBinding.objects.paying())
        .select_related(*_ACCOUNTS, "project__organization")
        .only(*_OF_PAYER, *_OF_PROJECT, "project__organization__name")
        .filter(project=Param("project")),
        "project__",
    )
)


def _with_plan(rows: Any, project: str = "") -> Any:
    """Annotate rows with what is planned for the project at the ORM path `project`: one item at most is open."""
    item = f"{project}payer_change_items"
    rows = rows.annotate(open_item=FilteredRelation(item, condition=Q(**{f"{item}__phase": "Pending"})))
    return rows.annotate(
        planned_at=F("open_item__effective_at"),
        planned_change=F("open_item__change__name"),
        planned_account=F("open_item__change__account__name"),
    )


class PlannedSerializer(serializers.Serializer[Any]):
    account = serializers.CharField(help_text=gettext_lazy("Name of the billing account that will pay."))
    at = serializers.DateTimeField(help_text=gettext_lazy("Instant (UTC) from which it will."))
    payerChange = serializers.CharField(help_text=gettext_lazy("Name of the payer change that plans it."))


class ProjectResponsibilitySerializer(serializers.Serializer[Any]):
    account = serializers.CharField(
        required=False, help_text=gettext_lazy("Name of the billing account that pays for the project.")
    )
    payerOfRecord = serializers.CharField(
        required=False, help_text=gettext_lazy("Who is invoiced for that account; absent where it is the account.")
    )
    establishedAt = serializers.DateTimeField(
        required=False, help_text=gettext_lazy("Instant (UTC) since which it pays.")
    )
    locked = PayerLockSerializer(
        required=False, help_text=gettext_lazy("Who locked the payer, which stays until unlockpayer; absent if nobody.")
    )
    planned = PlannedSerializer(
        required=False, help_text=gettext_lazy("Who will pay, where a payer change plans that.")
    )


@extend_schema_serializer(component_name="ProjectStatus")
class BilledProjectStatusSerializer(ProjectStatusSerializer):
    billingResponsibility = ProjectResponsibilitySerializer(
        required=False,
        help_text=gettext_lazy("Who pays for the project now, and who will; absent where neither is known."),
    )
    conditions = ConditionSerializer(
        many=True,
        help_text=gettext_lazy(
            "Ready: the project is active. PayerAssigned: an account pays for it. PayerInGoodStanding: that is Ready,"
            " and so is its payer of record."
        ),
    )


@register
class BilledProjectKind(ProjectKind):
    # status shows the phase of the payer at once; the revision of the project follows in the background
    live = True
    status_serializer = BilledProjectStatusSerializer
    columns = (
        *ProjectKind.columns[:1],
        Column("Payer", lambda m: _responsibility(m).get("account", "")),
        Column("Since", lambda m: _responsibility(m).get("establishedAt"), type="date"),
        *ProjectKind.columns[1:],
    )
    field_selectors = {**ProjectKind.field_selectors, "status.billingResponsibility.account": paid_by}
    example = BILLED_PROJECT
    read_subresources = (BILLING_HISTORY, USAGE, PLANNED_PAYER)
    actions = (
        Action(
            "archive",
            lambda row, spec, *, actor: archive_project(row.pk, actor=actor),
            NothingSerializer,
            gettext_lazy("Archive the project for ever; its active binding ends at the same instant."),
        ),
        *PAYER_LOCK_ACTIONS,
    )

    def queryset(self) -> ResourceQuerySet[Project]:
        paying = with_lock(BillingAccountBinding.objects.paying()).select_related(*_ACCOUNTS).only(*_OF_PAYER)
        rows: ResourceQuerySet[Project] = with_default(_with_plan(super().queryset()))
        return rows.prefetch_related(Prefetch("bindings", queryset=paying, to_attr="paying"))

    def rows(self, keys: Sequence[int]) -> dict[int, Project]:
        """Load projects with their payers: the queryset for many, one compiled query for one."""
        if len(keys) > 1:
            return super().rows(keys)
        # one object is the common case (GET, watch): SQL compiled once, payer and project in one query
        paying = _PAYING.fetch(project=keys[0])
        project = paying[0].project if paying else _PROJECT.fetch(project=keys[0])[0]
        for name in _PLANNED if paying else ():
            setattr(project, name, getattr(paying[0], name))
        project.paying = paying  # type: ignore[union-attr]
        return {project.pk: project}

    def status(self, row: Project) -> dict[str, Any]:
        status = super().status(row)
        paying = row.paying[0] if row.paying else None  # type: ignore[attr-defined]
        return status | {
            "conditions": [*status["conditions"], *_standing(row, paying), assigned(row, paying)],
            "billingResponsibility": (_shown_payer(paying) if paying else {}) | _planned(row),
        }


def _shown_payer(paying: BillingAccountBinding) -> dict[str, Any]:
    since = precise_instant(paying.established_at)
    payer = paying.account.paid_by
    shown = {"account": paying.account.name, "payerOfRecord": payer and payer.name, "establishedAt": since}
    return without_empty(shown | {"locked": shown_lock(paying)})


def _planned(row: Any) -> dict[str, Any]:
    if row.planned_at is None:
        return {}
    planned = {"account": row.planned_account, "at": precise_instant(row.planned_at), "payerChange": row.planned_change}
    return {"planned": planned}


def _standing(row: Project, paying: BillingAccountBinding | None) -> list[dict[str, Any]]:
    """Return the condition `PayerInGoodStanding`, read from the account itself so that a suspension shows at once."""
    if paying is None:
        return []
    account, payer = paying.account, paying.account.paid_by
    both = [account, payer] if payer else [account]
    bad = [each for each in both if each.phase != BillingAccount.Phase.READY]
    # in bad standing since the first of the two was not Ready, in good standing since the second is
    since = min(each.phase_since for each in bad) if bad else max(each.phase_since for each in both)
    since = max(since, paying.established_at)
    # the account itself first: its own suspension is nearer than that of who is invoiced for it
    reason, message = (bad[0].phase_reason, bad[0].phase_message) if bad else ("PayerReady", "")
    return [condition("PayerInGoodStanding", not bad, since, reason, message, row.generation)]


def _responsibility(manifest: dict[str, Any]) -> dict[str, Any]:
    responsibility: dict[str, Any] = manifest["status"].get("billingResponsibility", {})
    return responsibility
