"""Create and revise projects. `billing.services.projects` archives them, because that ends a binding."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from milo import audit, email_addresses
from milo.access import Actor
from milo.errors import AlreadyExists, Cause, Invalid
from milo.kube.metadata import Metadata
from milo.kube.names import name_causes
from milo.kube.store import changes, managers
from projects.access import PROJECTS
from projects.models import Organization, Project

_after_creation: list[Callable[..., Any]] = []


def after_creation(function: Callable[..., Any]) -> None:
    """Register a function that `create_project` calls with the new project and `actor`, in its transaction.

    It may refuse the project by raising `Refused`.
    """
    if function not in _after_creation:
        _after_creation.append(function)


@dataclass(frozen=True, slots=True)
class ProjectSpec:
    display_name: str = ""
    contact_email_addresses: list[str] = field(default_factory=list)

    def causes(self) -> list[Cause]:
        """Return every fault of the spec."""
        return email_addresses.causes(self.contact_email_addresses, "spec.contactEmailAddresses")


def create_project(
    name: str, organization_id: int, spec: ProjectSpec, metadata: Metadata = Metadata(), *, actor: Actor
) -> Project:
    """Create an Active project. Functions registered by `after_creation` complete it, and may refuse it.

    Raises `Forbidden` without permission in the organization, `Invalid` with every fault, and `AlreadyExists` (names
    are unique across the platform).
    """
    actor.require("create", PROJECTS, organization_id)
    if causes := name_causes(name) + metadata.causes() + spec.causes():
        raise Invalid.because(causes)
    with audit.transaction():
        if Project.objects.filter(name=name).exists():
            raise AlreadyExists(_("project %(name)s already exists") % {"name": name})
        project = Project(
            name=name,
            organization=Organization.objects.get(pk=organization_id),
            display_name=spec.display_name,
            contact_email_addresses=spec.contact_email_addresses,
        )
        metadata.put_on(project)
        audit.save_as(actor, project, reason="ProjectCreated")
        for complete in _after_creation:
            complete(project, actor=actor)
        return project


def revise_project(
    project_id: int,
    spec: ProjectSpec,
    metadata: Metadata | None = None,
    *,
    why: str = "",
    actor: Actor,
    resource_version: int | None = None,
) -> Project:
    """Replace the spec, and the metadata if given. Writes no revision if nothing changes.

    `why` is a reason for people, kept in the history.

    Raises `Forbidden`, `Invalid` (also for an archived project), and `Conflict` for a stale `resource_version`.
    """
    with audit.transaction():
        project = Project.objects.locked().select_related("organization").get(pk=project_id)
        actor.require("update", PROJECTS, project.organization_id)
        changes.expect(project, resource_version)
        if causes := spec.causes() + (metadata.causes() if metadata else []):
            raise Invalid.because(causes)
        before = ProjectSpec(project.display_name, project.contact_email_addresses)
        fixed = spec != before or (metadata is not None and metadata.relabels(project))
        changed = metadata is not None and metadata.put_on(project)
        if not fixed and not changed:
            return managers.record(project, actor=actor)
        # an archived project is read-only except for finalizers, which controllers must be able to remove
        if fixed and project.phase == Project.Phase.ARCHIVED:
            raise Invalid(_("project %(name)s is archived and cannot be changed") % {"name": project.name})
        project.display_name = spec.display_name
        project.contact_email_addresses = spec.contact_email_addresses
        project.generation += spec != before
        return audit.save_as(actor, project, reason="ProjectRevised", why=why)
