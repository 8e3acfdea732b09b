"""Billing accounts and bindings as Kubernetes kinds."""

from dataclasses import replace
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.access import ACCOUNTS, BINDINGS
from billing.api.account_status import conditions, tax_registrations
from billing.api.examples import ACCOUNT, BINDING
from billing.api.hierarchy import HIERARCHY, PAYER_OF_RECORD, effective_status, hierarchy_status
from billing.api.history import responsibility
from billing.api.lifecycle import ACCOUNT_ACTIONS, ACCOUNT_READ_SUBRESOURCES
from billing.api.past import PAST_READ_SUBRESOURCES
from billing.api.payer_change_readings import preview_document
from billing.api.serializers import (
    BillingAccountSpecSerializer,
    BillingAccountStatusSerializer,
    BindingSpecSerializer,
    BindingStatusSerializer,
)
from billing.api.usage_reports import CLOSE_USAGE, USAGE
from billing.models import BillingAccount, BillingAccountBinding
from billing.services.accounts import AccountSpec, open_account, revise
from billing.services.bindings import bind, relabel_binding
from billing.services.payer_changes.previews import preview_of_bind
from milo import audit
from milo.access import Actor
from milo.kube.kinds import Column, Kind, ObjectInput, register
from milo.kube.models import ResourceQuerySet
from milo.kube.store.manifests import condition, precise_instant, without_empty
from milo.kube.store.objects import refuse_other_spec
from projects.models import Project

GROUP = "billing.milo.io"


@register
class BillingAccountKind(Kind):
    group, kind, plural, singular, short_names = GROUP, "BillingAccount", ACCOUNTS, "billingaccount", ("ba",)
    description = gettext_lazy("A payer: the party that pays for the usage of the bound projects.")
    model = BillingAccount
    spec_serializer, status_serializer = BillingAccountSpecSerializer, BillingAccountStatusSerializer
    columns = (
        Column("Display Name", lambda m: m["spec"].get("displayName", "")),
        Column("Phase", lambda m: m["status"]["phase"]),
        Column("Currency", lambda m: m["spec"].get("currencyCode", "")),
        Column("Projects", lambda m: m["status"]["linkedProjectsCount"], type="integer"),
        Column("Terms", lambda m: _terms(m["spec"].get("paymentTerms", {}))),
        Column("Payer", lambda m: m["status"].get("hierarchy", {}).get("payerOfRecord", {}).get("name", ""), wide=True),
        Column("Message", lambda m: m["status"]["conditions"][0]["message"], wide=True),
    )
    field_selectors = {"status.phase": "phase", "spec.currencyCode": "currency_code"}
    actions = (*ACCOUNT_ACTIONS, CLOSE_USAGE)
    read_subresources = (*ACCOUNT_READ_SUBRESOURCES, USAGE, *PAST_READ_SUBRESOURCES, HIERARCHY, PAYER_OF_RECORD)
    example = ACCOUNT
    undeletable = gettext_lazy(
        "a billing account is never deleted:"
        " move its projects to another account by new bindings, then request its closure"
    )

    def queryset(self) -> ResourceQuerySet[BillingAccount]:
        return BillingAccount.objects.select_related("organization").with_linked_projects_count().with_hierarchy()

    def spec(self, row: BillingAccount) -> dict[str, Any]:
        profile = row.payment_profile
        return {
            "displayName": row.display_name,
            "currencyCode": row.currency_code,
            "paymentTerms": row.payment_terms.as_json(),
            "paymentProfile": profile and {method: dict(details) for method, details in profile.items()},
            "invoiceEmailAddresses": list(row.invoice_email_addresses),
            "preferences": row.preferences.as_json(),
        }

    def status(self, row: BillingAccount) -> dict[str, Any]:
        status = {
            "phase": row.phase,
            "conditions": conditions(row),
            "taxRegistrations": tax_registrations(row),
            "linkedProjectsCount": row.linked_projects_count,  # type: ignore[attr-defined]
        }
        if hierarchy := hierarchy_status(row):
            status["hierarchy"] = hierarchy
        if effective := effective_status(row):
            status["effective"] = effective
        return status | {"retention": _retention(row)} if row.closed_at else status

    def normalized(self, spec: dict[str, Any], row: BillingAccount | None) -> dict[str, Any]:
        stored = AccountSpec(**spec).normalised(timezone.now().date())
        if row is not None:
            stored = replace(stored, payment_terms=row.anchored(stored.payment_terms))
        account = BillingAccount()
        stored.put_on(account)
        return self.spec(account)

    def create(self, body: ObjectInput, *, actor: Actor) -> BillingAccount:
        assert body.organization_id
        return open_account(body.organization_id, body.name, AccountSpec(**body.spec), body.metadata, actor=actor)

    def update(
        self, row: BillingAccount, body: ObjectInput, *, actor: Actor, resource_version: int | None
    ) -> BillingAccount:
        return revise(row.pk, AccountSpec(**body.spec), body.metadata, actor=actor, resource_version=resource_version)


def _retention(row: BillingAccount) -> dict[str, Any]:
    retention = {
        "closedAt": row.closed_at and precise_instant(row.closed_at),
        "archivedAt": row.archived_at and precise_instant(row.archived_at),
        "archiveSHA256": row.archive_sha256,
        "purgeDate": row.purge_on and row.purge_on.isoformat(),
        "purgedDate": row.pseudonymised_on and row.pseudonymised_on.isoformat(),
    }
    return without_empty(retention)


def _terms(terms: dict[str, Any]) -> str:
    return f"Net{terms['netDays']} {terms.get('invoiceFrequency', '')}".strip() if "netDays" in terms else ""


@register
class BillingAccountBindingKind(Kind):
    group, kind, plural, singular = GROUP, "BillingAccountBinding", BINDINGS, "billingaccountbinding"
    contended = "projectRef"
    short_names = ("bab",)
    description = gettext_lazy("Who pays for a project from one instant on. Immutable; a new binding supersedes it.")
    model = BillingAccountBinding
    spec_serializer, status_serializer = BindingSpecSerializer, BindingStatusSerializer
    columns = (
        Column("Project", lambda m: m["spec"]["projectRef"]["name"]),
        Column("Account", lambda m: m["spec"]["billingAccountRef"]["name"]),
        Column("Phase", lambda m: m["status"]["phase"]),
        Column("Since", lambda m: m["status"]["billingResponsibility"]["establishedAt"], type="date"),
        Column("Until", lambda m: m["status"]["billingResponsibility"].get("endedAt"), type="date"),
    )
    field_selectors = {
        "status.phase": "phase",
        "spec.projectRef.name": "project__name",
        "spec.billingAccountRef.name": "account__name",
    }
    example = BINDING
    fixed_spec = True
    undeletable = gettext_lazy("a binding is never deleted: create a new binding, which supersedes it")

    def queryset(self) -> ResourceQuerySet[BillingAccountBinding]:
        related = ("organization", "project", "account", "superseded_by")
        # a manifest needs only the names of related rows; loading their many columns would dominate the query
        columns = [column.name for column in BillingAccountBinding._meta.concrete_fields]
        columns += [f"{row}__name" for row in related]
        return BillingAccountBinding.objects.select_related(*related).only(*columns)

    def lock(self, row: BillingAccountBinding) -> None:
        Project.objects.locked().get(pk=row.project_id)

    def spec(self, row: BillingAccountBinding) -> dict[str, Any]:
        return {"projectRef": {"name": row.project.name}, "billingAccountRef": {"name": row.account.name}}

    def status(self, row: BillingAccountBinding) -> dict[str, Any]:
        active = row.ended_at is None
        reason = "SuccessfulBinding" if active else row.end_reason
        message = "Project successfully bound to billing account" if active else "The account no longer pays"
        since = row.ended_at or row.established_at
        status: dict[str, Any] = {
            "phase": row.phase,
            "conditions": [condition("Bound", active, since, reason, message, row.generation)],
            "billingResponsibility": without_empty(responsibility(row)),
        }
        return status | {"preview": preview_document(preview_of_bind(row))} if active and audit.is_dry_run() else status

    def normalized(self, spec: dict[str, Any], row: BillingAccountBinding | None) -> dict[str, Any]:
        project, account = spec["project_ref"]["name"], spec["billing_account_ref"]["name"]
        return {"projectRef": {"name": project}, "billingAccountRef": {"name": account}}

    def create(self, body: ObjectInput, *, actor: Actor) -> BillingAccountBinding:
        assert body.organization_id
        project, account = body.spec["project_ref"]["name"], body.spec["billing_account_ref"]["name"]
        return bind(body.organization_id, body.name, project, account, body.metadata, actor=actor)

    def update(
        self, row: BillingAccountBinding, body: ObjectInput, *, actor: Actor, resource_version: int | None
    ) -> BillingAccountBinding:
        refuse_other_spec(self, row, body.spec, _("is fixed; create a new binding, which supersedes this one"))
        return relabel_binding(row.pk, body.metadata, actor=actor, resource_version=resource_version)
