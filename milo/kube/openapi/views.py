"""The OpenAPI documents over HTTP: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3"""

from typing import Any

import orjson
from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from milo.errors import NotFound
from milo.kube.openapi.documents import ALL, SWAGGER, Document, documents
from milo.kube.views import KubeView

ROOT = "/openapi/v3"
# Swagger UI sets inline styles and embeds images in its style sheet
DOCS_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
FOREVER = "public, max-age=31536000, immutable"


class PublicView(KubeView):
    """Base of views without authentication: they serve schemas and no objects."""

    schema = None
    permission_classes = [AllowAny]
    authentication_classes: list[Any] = []

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {"Vary": "Accept"}

    def details(self) -> dict[str, Any]:
        return {}


class IndexView(PublicView):
    @property
    def default_response_headers(self) -> dict[str, str]:
        return super().default_response_headers | {"Cache-Control": "no-store"}

    def get(self, request: Request) -> HttpResponseBase:
        """Return the URL of the document of each group and version."""
        listed = {
            place: {"serverRelativeURL": f"{ROOT}/{place}?hash={document.hash}"}
            for place, document in documents().items()
            if place not in (ALL, SWAGGER)
        }
        return self.answer.respond({"paths": listed})


class DocumentView(PublicView):
    def get(self, request: Request, place: str) -> HttpResponseBase:
        """Return a document. Cacheable forever if the URL has the hash from the index."""
        document = documents().get(place)
        if document is None or place == SWAGGER:
            raise NotFound(f"there is no document of {place}")
        return self._respond(request, document)

    def _respond(self, request: Request, document: Document) -> HttpResponseBase:
        response = HttpResponse(document.content, content_type="application/json")
        if self.answer.yaml:
            response = self.answer.respond(orjson.loads(document.content))
        current = request.GET.get("hash") == document.hash
        response["Cache-Control"] = FOREVER if current else "no-cache"
        return response


class SwaggerView(DocumentView):
    def get(self, request: Request) -> HttpResponseBase:  # type: ignore[override]
        """Return the whole API as OpenAPI 2.0 in JSON. The protobuf form is refused with 406."""
        return self._respond(request, documents()[SWAGGER])


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI of the whole API. It loads files of this server only."""

    authentication_classes: list[Any] = []
    # no OPTIONS
    metadata_class = None
    url = f"{ROOT}/{ALL}"

    @property
    def default_response_headers(self) -> dict[str, str]:
        headers = {"Content-Security-Policy": DOCS_POLICY, "Cache-Control": "no-store"}
        return super().default_response_headers | headers
