"""Organizations and projects as Kubernetes kinds."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from milo.access import Actor
from milo.errors import Cause, Invalid
from milo.kube.kinds import Column, Kind, ObjectInput, ReadSubresource, register
from milo.kube.models import ResourceQuerySet
from milo.kube.store.manifests import condition
from projects.access import ORGANIZATIONS, PROJECTS
from projects.api.examples import ORGANIZATION, PROJECT
from projects.api.roles import ROLE_ACTIONS, ROLE_READ_SUBRESOURCES
from projects.api.serializers import (
    OrganizationSpecSerializer,
    OrganizationStatusSerializer,
    ProjectSpecSerializer,
    ProjectStatusSerializer,
)
from projects.models import Organization, Project
from projects.services.organizations import OrganizationSpec, create_organization, revise_organization
from projects.services.projects import ProjectSpec, create_project, revise_project

GROUP = "resources.milo.io"


@register
class OrganizationKind(Kind):
    group, kind, plural, singular, short_names = GROUP, "Organization", ORGANIZATIONS, "organization", ("org",)
    description = gettext_lazy("The owner of projects and billing accounts; also shown as the namespace of its name.")
    namespaced, is_namespace = False, True
    namespace_description = gettext_lazy("An organization, as the namespace of the objects that belong to it.")
    model = Organization
    spec_serializer, status_serializer = OrganizationSpecSerializer, OrganizationStatusSerializer
    columns = (
        Column("Display Name", lambda m: m["spec"].get("displayName", "")),
        Column("Phase", lambda m: m["status"]["phase"]),
    )
    field_selectors = {"status.phase": "phase"}
    example = ORGANIZATION
    actions = ROLE_ACTIONS
    read_subresources: ClassVar[tuple[ReadSubresource, ...]] = ROLE_READ_SUBRESOURCES
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

    def create(self, body: ObjectInput, *, actor: Actor) -> Organization:
        return create_organization(body.name, OrganizationSpec(**body.spec), body.metadata, actor=actor)

    def update(
        self, row: Organization, body: ObjectInput, *, actor: Actor, resource_version: int | None
    ) -> Organization:
        spec = OrganizationSpec(**body.spec)
        return revise_organization(row.pk, spec, body.metadata, actor=actor, resource_version=resource_version)


@register
class ProjectKind(Kind):
    group, kind, plural, singular = GROUP, "Project", PROJECTS, "project"
    description = gettext_lazy("A consumer of services, which needs a payer.")
    namespaced = False
    model = Project
    spec_serializer, status_serializer = ProjectSpecSerializer, ProjectStatusSerializer
    columns: ClassVar[tuple[Column, ...]] = (
        Column("Organization", lambda m: m["spec"]["organizationRef"]["name"]),
        Column("Phase", lambda m: m["status"]["phase"]),
        Column("Display Name", lambda m: m["spec"].get("displayName", ""), wide=True),
    )
    field_selectors = {
        "status.phase": "phase",
        "spec.organizationRef.name": "organization__name",
    }
    example = PROJECT
    undeletable = gettext_lazy("a project is never deleted: POST to its subresource archive instead")

    def queryset(self) -> ResourceQuerySet[Project]:
        return Project.objects.select_related("organization")

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
        return {"phase": row.phase, "conditions": [ready]}

    def normalized(self, spec: dict[str, Any], row: Project | None) -> dict[str, Any]:
        owner = Organization(name=spec.pop("organization_ref")["name"])
        return self.spec(Project(organization=owner, **spec))

    def create(self, body: ObjectInput, *, actor: Actor) -> Project:
        reference = body.spec.pop("organization_ref")["name"]
        owner = Organization.objects.filter(name=reference).first()
        if owner is None or not actor.may("get", ORGANIZATIONS, owner.pk):
            message = _("there is no organization %(name)s") % {"name": reference}
            raise Invalid.because([Cause.not_found("spec.organizationRef.name", message)])
        return create_project(body.name, owner.pk, ProjectSpec(**body.spec), body.metadata, actor=actor)

    def update(self, row: Project, body: ObjectInput, *, actor: Actor, resource_version: int | None) -> Project:
        if body.spec.pop("organization_ref")["name"] != row.organization.name:
            message = _("a project stays in its organization: archive it and create another there")
            raise Invalid.because([Cause("spec.organizationRef.name", message)])
        spec = ProjectSpec(**body.spec)
        return revise_project(row.pk, spec, body.metadata, actor=actor, resource_version=resource_version)
