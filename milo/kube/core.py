"""The core group: organizations as namespaces."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpResponse, HttpResponseBase
from django.utils.translation import gettext_lazy
from rest_framework.request import Request

from milo.errors import NotFound
from milo.kube import list_options, lists, objects, selectors, watching
from milo.kube.core_schemas import NamespaceStatusSerializer
from milo.kube.kinds import Column, Kind, namespace_kind
from milo.kube.schemas import NothingSerializer
from milo.kube.status import MethodNotAllowed
from milo.kube.tables import shape_list, shape_one
from milo.kube.views import KubeView


class NamespaceShape(Kind):
    """How a namespace looks; it is not registered, for its rows are those of the namespace kind."""

    group, version, kind, plural, singular = "", "v1", "Namespace", "namespaces", "namespace"
    namespaced = False
    description = gettext_lazy("An organization, as the namespace of its accounts and bindings.")
    spec_serializer, status_serializer = NothingSerializer, NamespaceStatusSerializer
    verbs: ClassVar[tuple[str, ...]] = ("get", "list", "watch", "create")
    columns: ClassVar[tuple[Column, ...]] = (Column("Status", lambda manifest: manifest["status"]["phase"]),)

    @property
    def api_version(self) -> str:
        return "v1"

    @property
    def example(self) -> Mapping[str, Any]:  # type: ignore[override]
        return {**namespace_kind().example, "spec": {}, "status": {"phase": "Active"}}


def namespace_manifest(organization: dict[str, Any]) -> dict[str, Any]:
    """The namespace that an organization is, from its manifest."""
    metadata = organization["metadata"]
    labels = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata["name"]}
    metadata = {**metadata, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "spec": {}, "status": {"phase": "Active"}}


class NamespacesView(KubeView):
    standard = True
    shape = NamespaceShape()

    @property
    def kind(self) -> Kind:
        return namespace_kind()

    def get(self, request: Request) -> HttpResponseBase:
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

    def post(self, request: Request) -> HttpResponse:
        """`kubectl create namespace`: makes the object of the namespace kind that has this name."""
        mode = self.parameters.field_validation
        sent = objects.read(self.shape, self.body(), namespace="", organization_id=None, field_validation=mode)
        with self.acting():
            row = self.kind.create(sent.body, actor=self.actor)
        made = namespace_manifest(self.shown(row))
        self.revision_shown = made["metadata"]["resourceVersion"]
        return self.answer.respond(made, 201)


class NamespaceView(NamespacesView):
    http_method_names = ["get", "head"]

    def get(self, request: Request, name: str) -> HttpResponse:  # type: ignore[override]
        manifest = namespace_manifest(self.manifest())
        self.revision_shown = manifest["metadata"]["resourceVersion"]
        return self.answer.respond(shape_one(self.shape, manifest, self.answer, self.parameters.include_object))

    def manifest(self) -> dict[str, Any]:
        try:
            return super().manifest()
        except NotFound as missing:
            # kubectl asks for the namespace after any 404, and shows this answer instead
            raise NotFound(f'namespaces "{self.kwargs["name"]}" not found') from missing

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """DELETE is refused in the words of the object that the namespace shows."""
        if request.method == "DELETE":
            self.manifest()
            raise MethodNotAllowed(str(self.kind.undeletable))
        return super().http_method_not_allowed(request, *args, **kwargs)
