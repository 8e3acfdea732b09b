"""The base class of all API views: authentication, authorization, parameters and representation."""

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
from milo.identity.access import reads_masked
from milo.kube import tables
from milo.kube.kinds import Kind, namespace_kind
from milo.kube.models import ResourceQuerySet
from milo.kube.safe_retry import SafeRetry
from milo.kube.store import changes, list_options, managers, objects
from milo.kube.store.manifests import render
from milo.kube.wire import decoding, idempotency, preconditions, protobuf, representations
from milo.kube.wire.negotiation import Answer, JSONRenderer, Negotiation, negotiate
from milo.kube.wire.parameters import Parameters
from milo.kube.wire.status import MethodNotAllowed
from milo.kube.wire.throttle import RequestThrottle

_NAME_SHOWN, _WARNED = 80, 10
_ORGANIZATION = CompiledQuery(
    lambda: namespace_kind().model._default_manager.filter(name=Param("name")).values_list("pk", flat=True)
)


class KubeView(SafeRetry, APIView):
    """Base of all API views.

    `row`, `rows` and `manifest` fetch what the actor may see, `one` answers with an object, `create` creates one.
    """

    kind: ClassVar[Any] = None
    permission_classes = [IsAuthenticated]
    content_negotiation_class = Negotiation
    renderer_classes = [JSONRenderer]
    parser_classes: list[Any] = []
    throttle_classes = [RequestThrottle]
    # no OPTIONS: the OpenAPI document describes the API
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    content_encodings: ClassVar[tuple[str, ...]] = ()
    """Accepted Content-Encodings of request bodies, besides `identity`."""
    preconditions: ClassVar[tuple[str, ...]] = ()
    """Precondition headers that a POST to this view honors; others are refused."""
    name_sent = ""
    # the one organization whose objects are read, once that is known
    organization_read: int | None = None
    # operations defined by Kubernetes ignore unknown query parameters
    standard: ClassVar[bool] = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "\x00" in "".join(map(str, kwargs.values())):
            # PostgreSQL cannot store NUL, so no object has such a name
            raise NotFound(_("the server could not find the requested resource"))
        self.check_parameters()
        if request.method not in ("GET", "HEAD"):
            decoding.check_encoding(request.headers.get("Content-Encoding", ""), self.content_encodings)
        if request.method == "POST":
            preconditions.refuse(request.headers, self.preconditions)
            self.idempotency_key = idempotency.idempotency_key(request.headers)

    def check_parameters(self) -> None:
        """Refuse invalid values of Kubernetes' parameters, whether or not this view uses them."""
        self.parameters.check()
        if self.standard and self.request.method not in SAFE_METHODS:
            self.parameters.refuse_misspelt()

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Finish as DRF does, and name ignored query parameters in a Warning header, which kubectl prints."""
        final = super().finalize_response(request, response, *args, **kwargs)
        if self.standard and (unknown := self.parameters.unknown()):
            ignored = (
                f'299 - "unknown query parameter {_quoted(excerpt(name, _NAME_SHOWN))} is ignored"' for name in unknown
            )
            earlier = [final["Warning"]] if "Warning" in final else []
            final["Warning"] = ", ".join([*earlier, *list(ignored)[:_WARNED]])
        return representations.finish(request._request, final, self.revision_shown)

    def perform_authentication(self, request: Request) -> None:
        """Authenticate as DRF does, and count failed attempts, so that nobody can guess tokens without limit."""
        try:
            super().perform_authentication(request)
        except APIException:
            self.check_throttles(request)
            raise

    def permission_denied(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        """Deny as DRF does, and count the request: DRF counts only requests that it admits."""
        self.check_throttles(request)
        super().permission_denied(request, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        actor: Actor = self.request.auth
        return actor

    @cached_property
    def accepted_form(self) -> Answer:
        return negotiate(self.request.headers.get("Accept", ""))

    @cached_property
    def _reads_masked(self) -> bool:
        return self.request.auth is not None and reads_masked(self.actor)

    @property
    def hides(self) -> bool:
        """Return whether the answer masks personal data: for an actor who is shown masks on the staff site, too."""
        return self._reads_masked and self.organization_read not in self.actor.organizations

    @property
    def answer(self) -> Answer:
        return replace(self.accepted_form, hides=True) if self.hides else self.accepted_form

    @property
    def plain(self) -> Answer:
        """Return the JSON or YAML form, for answers that are no objects and have no Table."""
        return replace(self.answer, shape="")

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters(self.request.GET)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Forbid caching: answers depend on the actor and on the accepted form."""
        headers = {"Vary": "Accept, Accept-Encoding, Authorization", "Cache-Control": "no-store"}
        return {**super().default_response_headers, **headers}

    @property
    def shape(self) -> Kind:
        """Return the kind that objects are shown as. Namespaces show organizations as another kind."""
        kind: Kind = self.kind
        return kind

    def presented(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Convert a manifest of `kind` to one of `shape`."""
        return manifest

    @property
    def namespace(self) -> str:
        return str(self.kwargs.get("namespace", ""))

    def details(self) -> dict[str, Any]:
        """Return `details` of a Status: name, group and kind of the requested object."""
        name = getattr(self, "kwargs", {}).get("name") or self.name_sent
        known = {"name": name, "group": self.shape.group, "kind": self.shape.kind}
        return {key: value for key, value in known.items() if value}

    def body(self) -> Any:
        request = self.request._request
        if decoding.media_type(request.content_type or "") == protobuf.MEDIA_TYPE:
            return protobuf.parse(request.body)
        return decoding.parse(request.body, request.content_type or "")

    def rows(self, verb: str) -> ResourceQuerySet[Any]:
        """Return the rows on which the actor may use `verb`, limited to the namespace of the request if it has one.

        Raises `NotFound` for a namespace that the actor may not see, `Forbidden` without the verb.
        """
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
        """Return the primary key of the namespace's organization. Raises `NotFound` if the actor may not see it."""
        namespaces = namespace_kind()
        organization_id: int | None = _ORGANIZATION.first(name=self.namespace)
        if organization_id is None or not self.actor.may("get", namespaces.plural, organization_id):
            raise NotFound(f'namespaces "{self.namespace}" not found')
        self.organization_read = organization_id
        return organization_id

    def row(self, verb: str = "get") -> Any:
        """Return the requested row. 404 for objects of other organizations, 403 without the verb.

        Raises `MethodNotAllowed` if the kind does not support the verb.
        """
        kind: Kind = self.kind
        row = kind.row.first(name=self.kwargs["name"], namespace=self.namespace)
        organization_id = kind.organization(row).pk if row else None
        self.admit(organization_id)
        if verb not in kind.verbs:
            raise MethodNotAllowed(_("%(what)s cannot be changed by %(verb)s") % {"what": kind.plural, "verb": verb})
        self.actor.require(verb, kind.plural, organization_id)
        return row

    def manifest(self) -> dict[str, Any]:
        """Return the manifest of the requested object. 404 for objects of other organizations."""
        kind: Kind = self.kind
        list_options.expect_reached(self.parameters)
        if kind.live:
            return render(kind, self.row())
        named = kind.named.fetch(name=self.kwargs["name"], namespace=self.namespace)
        organization_id, text = named[0] if named else (None, "")
        self.admit(organization_id)
        manifest: dict[str, Any] = orjson.loads(text)
        return manifest

    def admit(self, organization_id: int | None) -> None:
        """Raise `NotFound` if there is no object (None), or the actor may not get objects of its organization."""
        if organization_id is None or not self.actor.may("get", self.kind.plural, organization_id):
            raise NotFound(f'{self.kind.plural}.{self.kind.group} "{self.kwargs["name"]}" not found')
        self.organization_read = organization_id

    def one(self, manifest: dict[str, Any], status: int = 200, warnings: tuple[str, ...] = ()) -> HttpResponse:
        """Answer with an object, in the form the client accepts."""
        shaped = tables.shape_one(self.shape, self.presented(manifest), self.answer, self.parameters.include_object)
        response = self.answer.respond(shaped, status)
        self.revision_shown = manifest["metadata"]["resourceVersion"]
        if warnings:
            response["Warning"] = ", ".join(f'299 - "{_quoted(warning)}"' for warning in warnings)
        return response

    def acting(self) -> Any:
        """Return the context of a write. With dryRun=All everything runs and is then rolled back."""
        return audit.dry_run() if self.parameters.dry_run else nullcontext()

    def create(self, manifest: Any, name: str = "", managed_fields: list[dict[str, Any]] | None = None) -> HttpResponse:
        """Create an object from a manifest in the namespace of the request and answer 201.

        `name` is the name in the URL, for a create by apply; "" takes the name from the manifest.
        """
        kind: Kind = self.kind
        organization_id = self.organization_id() if kind.namespaced else None
        if organization_id:
            # 403 comes before any error about the manifest
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
        return self.one(self.manifest_of(row), 201, (*sent.warnings, *kind.warnings(row)))

    def managed(self, live: dict[str, Any] | None, new: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the managedFields after this request has written `new` over `live` (None on create)."""
        manager = managers.field_manager(self.parameters.text("fieldManager"), _user_agent(self.request))
        return managers.updated(live, new, manager, at=timezone.now())

    def manifest_of(self, row: Any) -> dict[str, Any]:
        """Return the manifest of a row that a service returned."""
        if self.idempotency_key:
            # the answer is stored in the transaction of the write, and shows the revision
            audit.settle()
            self.owner_shown = self.kind.organization(row).pk
        written = changes.manifest_written(row)
        return written or render(self.kind, self.kind.queryset().with_revision().get(pk=row.pk))


def _user_agent(request: HttpRequest) -> str:
    """Return the User-Agent decoded as UTF-8: WSGI and ASGI decode headers as Latin-1."""
    return str(request.headers.get("User-Agent", "")).encode("latin-1", "replace").decode("utf-8", "replace")


def _quoted(text: str) -> str:
    printable = "".join(
        letter if letter.isascii() and letter.isprintable() else "?" for letter in card_numbers.masked(text)
    )
    return printable.replace("\\", "\\\\").replace('"', '\\"')
