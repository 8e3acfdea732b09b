"""Organizations as Namespaces of the core group."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from django.http import HttpResponseBase
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from rest_framework.request import Request

from milo.access import Actor
from milo.errors import Cause, Invalid, NotFound
from milo.kube.collection_views import CollectionView
from milo.kube.core.core_schemas import NamespaceStatusSerializer
from milo.kube.kinds import Column, Kind, ObjectInput, namespace_kind
from milo.kube.metadata import Metadata
from milo.kube.object_views import ObjectView
from milo.kube.schemas import NothingSerializer
from milo.kube.store import list_options, lists, selectors, validation
from milo.kube.store.manifests import without_empty
from milo.kube.tables import shape_list
from milo.kube.watch import watching

NAME_LABEL = "kubernetes.io/metadata.name"


class NamespaceShape(Kind):
    """The kind Namespace. Not registered, since its rows are those of the namespace kind (`namespace_kind`)."""

    group, version, kind, plural, singular = "", "v1", "Namespace", "namespaces", "namespace"
    namespaced = False
    spec_serializer, status_serializer = NothingSerializer, NamespaceStatusSerializer
    columns: ClassVar[tuple[Column, ...]] = (Column("Status", lambda manifest: manifest["status"]["phase"]),)

    @property
    def api_version(self) -> str:
        return "v1"

    @property
    def description(self) -> str | Promise:  # type: ignore[override]
        return namespace_kind().namespace_description

    @property
    def undeletable(self) -> str | Promise:  # type: ignore[override]
        return namespace_kind().undeletable

    @property
    def example(self) -> Mapping[str, Any]:  # type: ignore[override]
        return {**namespace_kind().example, "spec": {}, "status": {"phase": "Active"}}

    def normalized(self, spec: dict[str, Any], row: Any | None) -> dict[str, Any]:
        return {}

    def create(self, body: ObjectInput, *, actor: Actor) -> Any:
        """Create an object of the namespace kind with this name."""
        return namespace_kind().create(replace(body, metadata=_own(body)), actor=actor)

    def update(self, row: Any, body: ObjectInput, *, actor: Actor, resource_version: int | None) -> Any:
        """Update the metadata of an object of the namespace kind. Its spec, which a Namespace lacks, stays."""
        kind = namespace_kind()
        spec = validation.validate(kind.spec_serializer, without_empty(kind.spec(row)), "spec")
        unchanged = replace(body, metadata=_own(body), spec=spec)
        return kind.update(row, unchanged, actor=actor, resource_version=resource_version)


def _own(body: ObjectInput) -> Metadata:
    """Return the metadata without the name label, which is not stored. Raises `Invalid` if it holds another name."""
    labels = dict(body.metadata.labels)
    if labels.pop(NAME_LABEL, body.name) != body.name:
        raise Invalid.because([Cause("metadata.labels", _("%(key)s is fixed to the name") % {"key": NAME_LABEL})])
    return replace(body.metadata, labels=labels)


def namespace_manifest(organization: dict[str, Any]) -> dict[str, Any]:
    """Convert the manifest of an organization to that of its Namespace."""
    metadata = organization["metadata"]
    labels = {**metadata.get("labels", {}), NAME_LABEL: metadata["name"]}
    metadata = {**metadata, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "spec": {}, "status": {"phase": "Active"}}


class _NamespaceMixin:
    """The rows are those of the namespace kind, shown as namespaces."""

    shape = NamespaceShape()

    @property
    def kind(self) -> Kind:
        return namespace_kind()

    def presented(self, manifest: dict[str, Any]) -> dict[str, Any]:
        return namespace_manifest(manifest)


class NamespacesView(_NamespaceMixin, CollectionView):
    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        parameters = self.parameters
        selection = selectors.parse(self.kind, parameters.text("labelSelector"), parameters.text("fieldSelector"))
        if parameters.flag("watch"):
            return watching.respond(self, selection, shape=self.shape, presented=namespace_manifest)
        organizations, metadata = lists.page(
            self.kind,
            self.rows("list"),
            selection,
            limit=parameters.number("limit", lists.MAX_LIMIT),
            token=parameters.text("continue"),
            at=list_options.version_to_show(parameters),
        )
        manifests = [namespace_manifest(organization) for organization in organizations]
        shaped = shape_list(self.shape, manifests, metadata, self.answer, parameters.include_object)
        return self.answer.respond(shaped)


class NamespaceView(_NamespaceMixin, ObjectView):
    def admit(self, organization_id: int | None) -> None:
        try:
            super().admit(organization_id)
        except NotFound as missing:
            # kubectl reads the namespace after any 404 and prints this message instead
            raise NotFound(f'namespaces "{self.kwargs["name"]}" not found') from missing
