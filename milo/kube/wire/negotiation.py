"""Content negotiation: object, Table or metadata only; as JSON or YAML."""

from dataclasses import dataclass
from typing import Any

import orjson
import yaml
from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from milo import personal
from milo.kube.wire.status import NotAcceptable

SHAPES = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True, slots=True)
class Answer:
    """A negotiated form. `shape` is "" for the object itself; `version` is the version of `meta.k8s.io`.

    With `hides` personal data are masked.
    """

    shape: str = ""
    version: str = "v1"
    yaml: bool = False
    hides: bool = False

    @property
    def content_type(self) -> str:
        base = "application/yaml" if self.yaml else "application/json"
        return f"{base};as={self.shape};v={self.version};g=meta.k8s.io" if self.shape else base

    @property
    def raw(self) -> bool:
        """Return whether objects are sent as stored: complete, as JSON."""
        return not self.shape and not self.yaml and not self.hides

    def shown(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return a value of an answer as it may be read."""
        shown: dict[str, Any] = personal.masked(value) if self.hides else value
        return shown

    def respond(self, value: dict[str, Any], status: int = 200) -> HttpResponse:
        body = orjson.dumps(self.shown(value))
        if self.yaml:
            # by way of JSON: PyYAML cannot represent enumerations, and would write dates in its own form
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
    """Return the best supported form for an Accept header: by quality, then by order.

    Raises `NotAcceptable` if no form is supported.
    """
    items = [_parameters(item) for item in (accept or "*/*").split(",")]
    for kind, parameters in sorted(items, key=lambda item: -_quality(item[1])):
        answer = _answer(kind, parameters)
        if answer and _quality(parameters) > 0:
            return answer
    raise NotAcceptable(_("only application/json and application/yaml can be given"))


def wants(media_type: str, accept: str) -> bool:
    """Return whether an Accept header prefers `media_type`, such as `text/csv`, to everything else."""
    items = [_parameters(item) for item in accept.split(",")]
    kind, parameters = max(items, key=lambda item: _quality(item[1]))
    return kind == media_type and _quality(parameters) > 0


class JSONRenderer(BaseRenderer):
    """Placeholder for DRF's negotiation. Objects are rendered by `Answer`."""

    media_type = "application/json"
    format = "json"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return orjson.dumps(data)


class Negotiation(BaseContentNegotiation):
    """Placeholder for DRF's negotiation. Views call `negotiate`."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return JSONRenderer(), JSONRenderer.media_type
