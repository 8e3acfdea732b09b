"""Organizations and projects as Kubernetes kinds."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import BillingAccount, BillingAccountBinding
from billing.models.binding import paid_by
from billing.services.projects import archive_project
from milo.access import Actor
from milo.errors import Cause, Invalid
from milo.kube.kinds import Act, Body, Column, Kind, register
from milo.kube.manifests import condition, precise_instant
from milo.kube.models import ResourceQuerySet
from milo.kube.schemas import NothingSerializer
from milo.prepared import Given, Prepared
from projects.access import ORGANIZATIONS, PROJECTS
from projects.api.examples import ORGANIZATION, PROJECT
from projects.api.history import BILLING_HISTORY
from projects.api.roles import ROLE_ACTS, ROLE_READINGS
from projects.api.serializers import (
    OrganizationSpecSerializer,
    OrganizationStatusSerializer,
    ProjectSpecSerializer,
    ProjectStatusSerializer,
)
from projects.api.usage import UNASSIGNED, USAGE
from projects.models import Organization, Project
from projects.services.organizations import OrganizationSpec, create_organization, revise_organization
from projects.services.projects import ProjectSpec, create_project, revise_project

GROUP = "resources.milo.io"
_STANDING = ("name", "phase", "phase_since", "phase_reason", "phase_message")
# all that is shown of who pays: the many other columns of an account take longer than the rest
_OF_PAYER = ("project_id", "established_at", *(f"account__{column}" for column in _STANDING))
_OF_PROJECT = [f"project__{column.name}" for column in Project._meta.concrete_fields]
_PROJECT = Prepared(lambda: Project.objects.select_related("organization").filter(pk=Given("project")))
_PAYING = Prepared(
    lambda: (
        BillingAccountBinding.objects.paying()
        .select_related("account", "project__organization")
        .only(*_OF_PAYER, *_OF_PROJECT, "project__organization__name")
        .filter(project=Given("project"))
    )
)


@register
class OrganizationKind(Kind):
    group, kind, plural, singular, short_names = GROUP, "Organization", ORGANIZATIONS, "organization", ("org",)
    description = gettext_lazy("The owner of projects and billing accounts; also shown as the namespace of its name.")
    namespaced, is_namespace = False, True
    model = Organization
    spec_serializer, status_serializer = OrganizationSpecSerializer, OrganizationStatusSerializer
    columns = (
        Column("Display Name", lambda m: m["spec"].get("displayName", "")),
        Column("Phase", lambda m: m["status"]["phase"]),
    )
    field_selectors = {"status.phase": "phase"}
    example = ORGANIZATION
    acts = ROLE_ACTS
    readings = (UNASSIGNED, *ROLE_READINGS)
    undeletable = gettext_lazy("an organization is never deleted: its ledger is kept")

    def queryset(self) -> ResourceQuerySet[Organization]:
        return Organization.objects.all()

    def organization(self, row: Organization) -> Organization:
        return row

    def spec(self, row: Organization) -> dict[str, Any]:
        return {"displayName": row.display_name}

    def status(self, row: Organization) -> dict[str, Any]:
        message = "Organization is active"
        return {
            "phase": row.phase,
            "conditions": [condition("Ready", True, row.created_at, "OrganizationActive", message, row.generation)],
        }

    def normalized(self, spec: dict[str, Any], row: Organization | None) -> dict[str, Any]:
        return self.spec(Organization(**spec))

    def create(self, body: Body, *, actor: Actor) -> Organization:
        return create_organization(body.name, OrganizationSpec(**body.spec), body.metadata, actor=actor)

    def update(self, row: Organization, body: Body, *, actor: Actor, resource_version: int | None) -> Organization:
        spec = OrganizationSpec(**body.spec)
        return revise_organization(row.pk, spec, body.metadata, actor=actor, resource_version=resource_version)


@register
class ProjectKind(Kind):
    group, kind, plural, singular = GROUP, "Project", PROJECTS, "project"
    description = gettext_lazy("What consumes services, and so needs a payer.")
    namespaced = False
    # the standing of the payer shows at once, its revision follows in the background
    live = True
    model = Project
    spec_serializer, status_serializer = ProjectSpecSerializer, ProjectStatusSerializer
    columns = (
        Column("Organization", lambda m: m["spec"]["organizationRef"]["name"]),
        Column("Payer", lambda m: _responsibility(m).get("account", "")),
        Column("Since", lambda m: _responsibility(m).get("establishedAt"), type="date"),
        Column("Phase", lambda m: m["status"]["phase"]),
        Column("Display Name", lambda m: m["spec"].get("displayName", ""), wide=True),
    )
    field_selectors = {
        "status.phase": "phase",
        "spec.organizationRef.name": "organization__name",
        "status.billingResponsibility.account": paid_by,
    }
    example = PROJECT
    undeletable = gettext_lazy("a project is never deleted: POST to its subresource archive instead")
    readings = (BILLING_HISTORY, USAGE)
    acts = (
        Act(
            "archive",
            lambda row, spec, *, actor: archive_project(row.pk, actor=actor),
            NothingSerializer,
            gettext_lazy("Archive the project for ever; its active binding ends at the same instant."),
        ),
    )

    def queryset(self) -> ResourceQuerySet[Project]:
        paying = BillingAccountBinding.objects.paying().select_related("account").only(*_OF_PAYER)
        return Project.objects.select_related("organization").prefetch_related(
            Prefetch("bindings", queryset=paying, to_attr="paying")
        )

    def rows(self, keys: Sequence[int]) -> dict[int, Project]:
        if len(keys) > 1:
            return super().rows(keys)
        paying = _PAYING.ask(project=keys[0])
        project = paying[0].project if paying else _PROJECT.ask(project=keys[0])[0]
        project.paying = paying  # type: ignore[attr-defined]
        return {project.pk: project}

    def spec(self, row: Project) -> dict[str, Any]:
        return {
            "organizationRef": {"name": row.organization.name},
            "displayName": row.display_name,
            "contactEmailAddresses": list(row.contact_email_addresses),
        }

    def status(self, row: Project) -> dict[str, Any]:
        active = row.phase == Project.Phase.ACTIVE
        message = "Project is active" if active else "Project is archived"
        ready = condition("Ready", active, row.phase_since, f"Project{row.phase}", message, row.generation)
        paying = row.paying[0] if row.paying else None  # type: ignore[attr-defined]
        return {
            "phase": row.phase,
            "conditions": [ready, *_standing(row, paying)],
            "billingResponsibility": paying
            and {"account": paying.account.name, "establishedAt": precise_instant(paying.established_at)},
        }

    def normalized(self, spec: dict[str, Any], row: Project | None) -> dict[str, Any]:
        owner = Organization(name=spec.pop("organization_ref")["name"])
        return self.spec(Project(organization=owner, **spec))

    def create(self, body: Body, *, actor: Actor) -> Project:
        reference = body.spec.pop("organization_ref")["name"]
        owner = Organization.objects.filter(name=reference).first()
        if owner is None or not actor.may("get", ORGANIZATIONS, owner.pk):
            message = _("there is no organization %(name)s") % {"name": reference}
            raise Invalid.because([Cause.not_found("spec.organizationRef.name", message)])
        return create_project(body.name, owner.pk, ProjectSpec(**body.spec), body.metadata, actor=actor)

    def update(self, row: Project, body: Body, *, actor: Actor, resource_version: int | None) -> Project:
        if body.spec.pop("organization_ref")["name"] != row.organization.name:
            raise Invalid.because([Cause("spec.organizationRef.name", _("is fixed"))])
        spec = ProjectSpec(**body.spec)
        return revise_project(row.pk, spec, body.metadata, actor=actor, resource_version=resource_version)


def _standing(row: Project, paying: BillingAccountBinding | None) -> list[dict[str, Any]]:
    """Whether the payer is in good standing, straight from the account: a suspension shows at once."""
    if paying is None:
        return []
    account = paying.account
    good = account.phase == BillingAccount.Phase.READY
    since = max(account.phase_since, paying.established_at)
    reason = "PayerReady" if good else account.phase_reason
    message = "" if good else account.phase_message
    return [condition("PayerInGoodStanding", good, since, reason, message, row.generation)]


def _responsibility(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["status"].get("billingResponsibility", {})
    return found
