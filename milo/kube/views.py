"""What the views of every kind share: who asks, for what, and the form of the answer."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any, ClassVar, NoReturn

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from milo import audit, card_numbers
from milo.access import Actor
from milo.card_numbers import excerpt
from milo.compiled_queries import CompiledQuery, Param
from milo.errors import Forbidden, NotFound, Refused
from milo.kube import tables
from milo.kube.kinds import Kind, namespace_kind
from milo.kube.models import ResourceQuerySet
from milo.kube.store import changes, list_options, managers, objects
from milo.kube.store.manifests import render
from milo.kube.wire import decoding, preconditions, protobuf, representations
from milo.kube.wire.negotiation import Answer, JSONRenderer, Negotiation, negotiate
from milo.kube.wire.parameters import Parameters
from milo.kube.wire.status import MethodNotAllowed
from milo.kube.wire.throttle import RequestThrottle

_NAME_SHOWN, _WARNED = 80, 10
_ORGANIZATION = CompiledQuery(
    lambda: namespace_kind().model._default_manager.filter(name=Param("name")).values_list("pk", flat=True)
)


class KubeView(APIView):
    """What all views share: who asks, what they want back, and which rows they may know of."""

    kind: ClassVar[Any] = None
    permission_classes = [IsAuthenticated]
    content_negotiation_class = Negotiation
    renderer_classes = [JSONRenderer]
    parser_classes: list[Any] = []
    throttle_classes = [RequestThrottle]
    # no OPTIONS: the OpenAPI document says what there is
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    content_encodings: ClassVar[tuple[str, ...]] = ()
    """Of request bodies, besides `identity`."""
    preconditions: ClassVar[tuple[str, ...]] = ()
    """Headers of a POST that say which revision the client has seen."""
    name_sent = ""
    revision_shown = ""
    # of the operations that Kubernetes defines, which ignore parameters that they do not know
    standard: ClassVar[bool] = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "\x00" in "".join(map(str, kwargs.values())):
            # PostgreSQL has no such text, and so no object has such a name
            raise NotFound(_("the server could not find the requested resource"))
        self.check_parameters()
        if request.method not in ("GET", "HEAD"):
            decoding.check_encoding(request.headers.get("Content-Encoding", ""), self.content_encodings)
        if request.method == "POST":
            preconditions.refuse(request.headers, self.preconditions)

    def check_parameters(self) -> None:
        """Refuse values of Kubernetes' own parameters that are not understood, also where nothing reads them."""
        self.parameters.check()
        if self.standard and self.request.method not in SAFE_METHODS:
            self.parameters.refuse_misspelt()

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """As DRF; a parameter that was ignored is named in a Warning header, which kubectl shows."""
        final = super().finalize_response(request, response, *args, **kwargs)
        if self.standard and (unknown := self.parameters.unknown()):
            ignored = (
                f'299 - "unknown query parameter {_quoted(excerpt(name, _NAME_SHOWN))} is ignored"' for name in unknown
            )
            earlier = [final["Warning"]] if "Warning" in final else []
            final["Warning"] = ", ".join([*earlier, *list(ignored)[:_WARNED]])
        return representations.finish(request._request, final, self.revision_shown)

    def perform_authentication(self, request: Request) -> None:
        """As DRF, which would let a stranger guess tokens without end: a failed attempt counts too."""
        try:
            super().perform_authentication(request)
        except APIException:
            self.check_throttles(request)
            raise

    def permission_denied(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        """As DRF, which counts only what it admits: who sends no token may not ask without end either."""
        self.check_throttles(request)
        super().permission_denied(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        actor: Actor = self.request.auth  # type: ignore[assignment]
        return actor

    @cached_property
    def answer(self) -> Answer:
        return negotiate(self.request.headers.get("Accept", ""))

    @property
    def plain(self) -> Answer:
        """The form for what is no object and so has no Table: JSON or YAML."""
        return replace(self.answer, shape="")

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters(self.request.GET)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """What an answer says depends on who asks and in which form; nobody else may keep it."""
        headers = {"Vary": "Accept, Accept-Encoding, Authorization", "Cache-Control": "no-store"}
        return {**super().default_response_headers, **headers}

    @property
    def shape(self) -> Kind:
        """How the objects look here: as their kind, unless they are shown as another."""
        kind: Kind = self.kind
        return kind

    def presented(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """The manifest of the kind as it looks in this shape."""
        return manifest

    @property
    def namespace(self) -> str:
        return str(self.kwargs.get("namespace", ""))

    def details(self) -> dict[str, Any]:
        """`details` of a Status about the object of this request."""
        name = getattr(self, "kwargs", {}).get("name") or self.name_sent
        known = {"name": name, "group": self.shape.group, "kind": self.shape.kind}
        return {key: value for key, value in known.items() if value}

    def body(self) -> Any:
        request = self.request._request
        if decoding.media_type(request.content_type or "") == protobuf.MEDIA_TYPE:
            return protobuf.parse(request.body)
        return decoding.parse(request.body, request.content_type or "")

    def rows(self, verb: str) -> ResourceQuerySet[Any]:
        """The rows on which the actor may use `verb`, of the request's namespace where it names one."""
        kind: Kind = self.kind
        rows = kind.queryset()
        if self.namespace:
            organization_id = self.organization_id()
            self.actor.require(verb, kind.plural, organization_id)
            return rows.filter(**{f"{kind.organization_path}_id": organization_id})
        allowed = self.actor.organizations_for(verb, kind.plural)
        if allowed is None:
            return rows
        if not allowed:
            raise Forbidden(
                _("%(actor)s may not %(verb)s %(what)s")
                % {
                    "actor": self.actor.name,
                    "verb": verb,
                    "what": kind.plural,
                }
            )
        return rows.filter(**{f"{kind.owner}__in": allowed})

    def organization_id(self) -> int:
        """The organization of the request's namespace; one that the actor may not see is as missing as none."""
        namespaces = namespace_kind()
        found: int | None = _ORGANIZATION.first(name=self.namespace)
        if found is None or not self.actor.may("get", namespaces.plural, found):
            raise NotFound(f'namespaces "{self.namespace}" not found')
        return found

    def row(self, verb: str = "get") -> Any:
        """The object of the request. Foreign looks like missing; seen but not allowed is forbidden."""
        kind: Kind = self.kind
        row = kind.row.first(name=self.kwargs["name"], namespace=self.namespace)
        organization_id = kind.organization(row).pk if row else None
        self.admit(organization_id)
        if verb not in kind.verbs:
            raise MethodNotAllowed(_("%(what)s cannot be changed by %(verb)s") % {"what": kind.plural, "verb": verb})
        self.actor.require(verb, kind.plural, organization_id)
        return row

    def manifest(self) -> dict[str, Any]:
        """The manifest of the object of the request, to be read. Foreign looks like missing."""
        kind: Kind = self.kind
        list_options.expect_reached(self.parameters)
        if kind.live:
            return render(kind, self.row())
        found = kind.named.fetch(name=self.kwargs["name"], namespace=self.namespace)
        organization_id, text = found[0] if found else (None, "")
        self.admit(organization_id)
        manifest: dict[str, Any] = orjson.loads(text)
        return manifest

    def admit(self, organization_id: int | None) -> None:
        """Raise `NotFound` unless there is an object, of this organization, and the actor may know of it."""
        if organization_id is None or not self.actor.may("get", self.kind.plural, organization_id):
            raise NotFound(f'{self.kind.plural}.{self.kind.group} "{self.kwargs["name"]}" not found')

    def one(self, manifest: dict[str, Any], status: int = 200, warnings: tuple[str, ...] = ()) -> HttpResponse:
        """An object in the shape asked for."""
        shaped = tables.shape_one(self.shape, self.presented(manifest), self.answer, self.parameters.include_object)
        response = self.answer.respond(shaped, status)
        self.revision_shown = manifest["metadata"]["resourceVersion"]
        if warnings:
            response["Warning"] = ", ".join(f'299 - "{_quoted(warning)}"' for warning in warnings)
        return response

    def acting(self) -> Any:
        """The context of a write: with dryRun=All everything is done, then rolled back."""
        return audit.dry_run() if self.parameters.dry_run else nullcontext()

    def create(self, manifest: Any, name: str = "", managed_fields: list[dict[str, Any]] | None = None) -> HttpResponse:
        """Make the object of a manifest, under `name` where the address says so, in the request's namespace."""
        kind: Kind = self.kind
        organization_id = self.organization_id() if kind.namespaced else None
        if organization_id:
            # whoever may not is told so before what was sent is looked at
            self.actor.require("create", kind.plural, organization_id)
        sent = objects.read(
            self.shape,
            manifest,
            namespace=self.namespace,
            organization_id=organization_id,
            name=name,
            field_validation=self.parameters.field_validation,
        )
        if sent.resource_version:
            raise Refused(_("resourceVersion should not be set on objects to be created"))
        if managed_fields is None:
            managed_fields = self.managed(None, objects.normalized(self.shape, manifest))
        sent = sent.managed_by(managed_fields)
        with self.acting():
            row = self.shape.create(sent.body, actor=self.actor)
        return self.one(self.shown(row), 201, sent.warnings)

    def managed(self, live: dict[str, Any] | None, new: dict[str, Any]) -> list[dict[str, Any]]:
        """The managedFields once this request has written `new` over `live`."""
        manager = managers.field_manager(self.parameters.text("fieldManager"), _user_agent(self.request))
        return managers.updated(live, new, manager, at=timezone.now())

    def shown(self, row: Any) -> dict[str, Any]:
        """The manifest of a row after a service returned it."""
        written = changes.manifest_written(row)
        return written or render(self.kind, self.kind.queryset().with_revision().get(pk=row.pk))


def _user_agent(request: HttpRequest) -> str:
    """The User-Agent as its client wrote it: WSGI and ASGI read the octets of a header as Latin-1."""
    read = request.headers.get("User-Agent", "")
    return read.encode("latin-1", "replace").decode("utf-8", "replace")


def _quoted(text: str) -> str:
    printable = "".join(
        letter if letter.isascii() and letter.isprintable() else "?" for letter in card_numbers.masked(text)
    )
    return printable.replace("\\", "\\\\").replace('"', '\\"')
