"""The group apiextensions.k8s.io, without definitions, because the kinds of this API are built in.

Terraform's `kubernetes_manifest` and Argo CD list the definitions before they use any kind. They take a missing group
for a broken server.
"""

from typing import Any, ClassVar

from django.http import HttpResponse, HttpResponseBase
from rest_framework.request import Request

from milo.errors import NotFound, Refused
from milo.kube.core.namespaces import NamespaceShape
from milo.kube.kinds import Column
from milo.kube.store import changes, list_options, selectors
from milo.kube.tables import shape_list
from milo.kube.views import KubeView
from milo.kube.watch import watching

GROUP, VERSION, PLURAL = "apiextensions.k8s.io", "v1", "customresourcedefinitions"


class DefinitionShape(NamespaceShape):
    """The kind CustomResourceDefinition. Not registered, since it has no rows."""

    group, version, kind = GROUP, VERSION, "CustomResourceDefinition"
    categories = ("api-extensions",)
    plural, singular, short_names = PLURAL, "customresourcedefinition", ("crd", "crds")
    verbs = ("get", "list", "watch")
    columns: ClassVar[tuple[Column, ...]] = ()

    @property
    def api_version(self) -> str:
        return f"{GROUP}/{VERSION}"


class DefinitionsView(KubeView):
    """The empty list of definitions. Every authenticated user may read it."""

    kind = DefinitionShape()

    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        """List, or watch with `?watch=true`."""
        parameters = self.parameters
        selection = selectors.parse(self.kind, parameters.text("labelSelector"), parameters.text("fieldSelector"))
        if parameters.flag("watch"):
            return watching.respond_empty(self, selection)
        at = list_options.version_to_show(parameters)
        if parameters.text("continue"):
            raise Refused("the continue token is not valid")
        metadata = {"resourceVersion": str(at or changes.current_version())}
        return self.answer.respond(shape_list(self.kind, [], metadata, self.answer, parameters.include_object))


class DefinitionView(KubeView):
    """A single definition: always 404."""

    kind = DefinitionShape()

    def get(self, request: Request, **kwargs: Any) -> HttpResponse:
        raise NotFound(f'{PLURAL}.{GROUP} "{self.kwargs["name"]}" not found')
