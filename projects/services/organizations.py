"""Create and revise organizations."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from milo import audit
from milo.access import Actor
from milo.errors import AlreadyExists, Cause, Invalid
from milo.kube.metadata import Metadata
from milo.kube.names import CLUSTER_SCOPED_EVENTS, name_causes
from milo.kube.store import changes, managers
from projects.access import ORGANIZATIONS
from projects.models import Organization


@dataclass(frozen=True, slots=True)
class OrganizationSpec:
    display_name: str = ""


def create_organization(
    name: str, spec: OrganizationSpec, metadata: Metadata = Metadata(), *, actor: Actor
) -> Organization:
    """Create an organization, which is also a namespace.

    Raises `Forbidden`, `Invalid` for a name that is reserved or not a DNS-1123 label and for wrong metadata, and
    `AlreadyExists`.
    """
    actor.require("create", ORGANIZATIONS, None)
    causes = name_causes(name) + metadata.causes()
    if name == CLUSTER_SCOPED_EVENTS:
        causes.append(Cause("metadata.name", _("is the namespace of events of objects that have none")))
    if causes:
        raise Invalid.because(causes)
    with audit.transaction():
        if Organization.objects.filter(name=name).exists():
            raise AlreadyExists(_("organization %(name)s already exists") % {"name": name})
        organization = Organization(name=name, display_name=spec.display_name)
        metadata.put_on(organization)
        return audit.save_as(actor, organization, reason="OrganizationCreated")


def revise_organization(
    organization_id: int,
    spec: OrganizationSpec,
    metadata: Metadata | None = None,
    *,
    respecified: bool = False,
    why: str = "",
    actor: Actor,
    resource_version: int | None = None,
) -> Organization:
    """Replace the spec, and the metadata if given. Writes no revision if nothing changes.

    `why` is a reason for people, kept in the history.
    `respecified` says that a part of the spec which another application keeps has changed, in the same transaction.

    Raises `Forbidden`, `Invalid`, and `Conflict` for a stale `resource_version`.
    """
    actor.require("update", ORGANIZATIONS, organization_id)
    with audit.transaction():
        organization = Organization.objects.locked().get(pk=organization_id)
        changes.expect(organization, resource_version)
        if metadata and (causes := metadata.causes()):
            raise Invalid.because(causes)
        respecified = respecified or spec.display_name != organization.display_name
        relabelled = metadata is not None and metadata.put_on(organization)
        if not respecified and not relabelled:
            return managers.record(organization, actor=actor)
        organization.display_name = spec.display_name
        organization.generation += respecified
        return audit.save_as(actor, organization, reason="OrganizationRevised", why=why)
