"""Views of collections: list, watch and create."""

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request

from milo.kube import tables
from milo.kube.store import list_options, lists, objects, selectors
from milo.kube.views import KubeView
from milo.kube.watch import watching
from milo.kube.wire.status import MethodNotAllowed


class CollectionView(KubeView):
    standard = True

    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        """List, or watch with `?watch=true`."""
        parameters = self.parameters
        selection = selectors.parse(self.kind, parameters.text("labelSelector"), parameters.text("fieldSelector"))
        if parameters.flag("watch"):
            return watching.respond(self, selection)
        rows = self.rows("list")
        manifests, metadata = lists.page(
            self.kind,
            rows,
            selection,
            limit=parameters.number("limit", lists.MAX_LIMIT),
            token=parameters.text("continue"),
            at=list_options.version_to_show(parameters),
            raw=self.answer.raw,
        )
        shaped = tables.shape_list(self.kind, manifests, metadata, self.answer, parameters.include_object)
        return self.answer.respond(shaped)

    def post(self, request: Request, **kwargs: Any) -> HttpResponse:
        """Create."""
        manifest = self.body()
        self.name_sent = objects.name_of(manifest)
        return self.once(lambda: self.create(manifest))


class EveryNamespaceView(CollectionView):
    """The objects of all namespaces; objects are created through the collection of one namespace."""

    @property
    def allowed_methods(self) -> list[str]:
        """Methods for the Allow header. POST is left out: it is answered with 405 and the path to use instead."""
        return [method for method in super().allowed_methods if method != "POST"]

    def post(self, request: Request, **kwargs: Any) -> HttpResponse:
        message = _("name the namespace: POST .../namespaces/{organization}/%(plural)s")
        raise MethodNotAllowed(message % {"plural": self.kind.plural})
