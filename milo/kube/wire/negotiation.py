"""What the client wants back: an object, a Table, or metadata only; in JSON or YAML."""

from dataclasses import dataclass
from typing import Any

import orjson
import yaml
from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from milo.kube.wire.status import NotAcceptable

SHAPES = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True, slots=True)
class Answer:
    """A form of answer: `shape` is empty for the object itself, `version` that of `meta.k8s.io`."""

    shape: str = ""
    version: str = "v1"
    yaml: bool = False

    @property
    def content_type(self) -> str:
        base = "application/yaml" if self.yaml else "application/json"
        return f"{base};as={self.shape};v={self.version};g=meta.k8s.io" if self.shape else base

    @property
    def raw(self) -> bool:
        """Whether objects are sent as they are kept: whole, as JSON."""
        return not self.shape and not self.yaml

    def respond(self, value: dict[str, Any], status: int = 200) -> HttpResponse:
        body = orjson.dumps(value)
        if self.yaml:
            # YAML of the JSON, and so of every value that JSON can have: PyYAML knows no enumeration and no date's text
            body = yaml.safe_dump(orjson.loads(body), sort_keys=False).encode()
        return HttpResponse(body, content_type=self.content_type, status=status)


def _parameters(item: str) -> tuple[str, dict[str, str]]:
    kind, *rest = (part.strip() for part in item.split(";"))
    return kind.lower(), {key.strip(): value.strip() for key, _eq, value in (part.partition("=") for part in rest)}


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0


def _answer(kind: str, parameters: dict[str, str]) -> Answer | None:
    shape, version = parameters.get("as", ""), parameters.get("v", "v1")
    if shape and (shape not in SHAPES or parameters.get("g") != "meta.k8s.io" or version not in ("v1", "v1beta1")):
        return None
    if kind in ("application/json", "application/*", "*/*"):
        return Answer(shape, version)
    return Answer(shape, version, yaml=True) if kind in ("application/yaml", "application/x-yaml") else None


def negotiate(accept: str) -> Answer:
    """The best answer for an Accept header: by quality, then in the order given.

    Raises `NotAcceptable` where nothing fits.
    """
    items = [_parameters(item) for item in (accept or "*/*").split(",")]
    for kind, parameters in sorted(items, key=lambda item: -_quality(item[1])):
        answer = _answer(kind, parameters)
        if answer and _quality(parameters) > 0:
            return answer
    raise NotAcceptable(_("only application/json and application/yaml can be given"))


def wants(media_type: str, accept: str) -> bool:
    """Whether `media_type`, such as `text/csv`, is what an Accept header likes best."""
    items = [_parameters(item) for item in accept.split(",")]
    kind, parameters = max(items, key=lambda item: _quality(item[1]))
    return kind == media_type and _quality(parameters) > 0


class JSONRenderer(BaseRenderer):
    """Stands in DRF's negotiation for what `Answer` really does."""

    media_type = "application/json"
    format = "json"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return orjson.dumps(data)


class Negotiation(BaseContentNegotiation):
    """DRF's hook; the view asks `negotiate` itself where it answers with objects."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return JSONRenderer(), JSONRenderer.media_type
