"""The core group: organizations as namespaces, and changes as events."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.request import Request

from milo.errors import Forbidden, NotFound, Refused
from milo.kube import lists, objects, selectors
from milo.kube.core_schemas import NamespaceStatusSerializer
from milo.kube.kinds import Column, Kind, all_kinds, namespace_kind
from milo.kube.manifests import instant, precise_instant, without_empty
from milo.kube.models import Change
from milo.kube.names import CLUSTER_SCOPED_EVENTS
from milo.kube.parameters import Parameters
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
    verbs: ClassVar[tuple[str, ...]] = ("get", "list", "create")
    columns: ClassVar[tuple[Column, ...]] = (Column("Status", lambda manifest: manifest["status"]["phase"]),)

    @property
    def api_version(self) -> str:
        return "v1"

    @property
    def example(self) -> Mapping[str, Any]:  # type: ignore[override]
        return {**namespace_kind().example, "spec": {}, "status": {"phase": "Active"}}


class EventShape(NamespaceShape):
    kind, plural, singular = "Event", "events", "event"
    verbs = ("get", "list")
    namespaced = True
    columns = (
        Column("Last Seen", lambda manifest: manifest["lastTimestamp"], type="date"),
        Column("Type", lambda manifest: manifest["type"]),
        Column("Reason", lambda manifest: manifest["reason"]),
        Column("Object", lambda m: f"{m['involvedObject']['kind'].lower()}/{m['involvedObject']['name']}"),
        Column("Message", lambda manifest: manifest["message"]),
    )


def namespace_manifest(organization: dict[str, Any]) -> dict[str, Any]:
    """The namespace that an organization is, from its manifest."""
    metadata = organization["metadata"]
    labels = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata["name"]}
    metadata = {**metadata, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "spec": {}, "status": {"phase": "Active"}}


def refuse_watch(parameters: Parameters, shape: Kind) -> None:
    """Raise `MethodNotAllowed` for `?watch=true`: a list in its place would not be understood."""
    if parameters.flag("watch"):
        raise MethodNotAllowed(_("%(plural)s cannot be watched, only listed") % {"plural": shape.plural})


class NamespacesView(KubeView):
    shape = NamespaceShape()

    @property
    def kind(self) -> Kind:
        return namespace_kind()

    def get(self, request: Request) -> HttpResponseBase:
        parameters = self.parameters
        refuse_watch(parameters, self.shape)
        selection = selectors.parse(self.kind, parameters.text("labelSelector"), parameters.text("fieldSelector"))
        organizations, metadata = lists.page(
            self.kind,
            self.rows("list"),
            selection,
            limit=parameters.number("limit", lists.MAX_LIMIT),
            token=parameters.text("continue"),
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
        return self.answer.respond(namespace_manifest(self.shown(row)), 201)


class NamespaceView(NamespacesView):
    http_method_names = ["get", "head"]

    def get(self, request: Request, name: str) -> HttpResponse:  # type: ignore[override]
        manifest = namespace_manifest(self.manifest())
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


def event_manifest(change: Change, kind: Kind) -> dict[str, Any]:
    """A change with a reason, as a core/v1 Event of its object."""
    at = instant(change.at)
    namespace = change.namespace or CLUSTER_SCOPED_EVENTS
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{change.name}.{change.resource_version:x}",
            "namespace": namespace,
            "uid": f"{change.uid}",
            "resourceVersion": str(change.resource_version),
            "creationTimestamp": at,
        },
        "involvedObject": without_empty(
            {
                "kind": kind.kind,
                "namespace": change.namespace,
                "name": change.name,
                "uid": str(change.uid),
                "apiVersion": kind.api_version,
                "resourceVersion": str(change.resource_version),
            }
        ),
        "reason": change.reason,
        "message": change.message or change.reason,
        "type": "Normal",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "eventTime": precise_instant(change.at),
        "count": 1,
        "action": change.reason,
        "source": {"component": change.actor},
        "reportingComponent": change.actor,
        "reportingInstance": "",
    }


_HEXADECIMAL = re.compile(r"[0-9a-f]{1,15}")
_EVENT_FIELDS = {
    "involvedObject.name": "name",
    "involvedObject.namespace": "namespace",
    "reason": "reason",
}


def _uids(value: str) -> list[UUID]:
    """The UUID that `value` is; none where it is no UUID, which no object has for its uid."""
    try:
        return [UUID(value)]
    except ValueError:
        return []


class EventsView(KubeView):
    shape = EventShape()
    kind = EventShape()

    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        refuse_watch(self.parameters, self.shape)
        changes = self._visible().exclude(reason="").order_by("-resource_version")
        limit = self.parameters.number("limit", lists.MAX_LIMIT) or lists.MAX_LIMIT
        known = {kind.resource: kind for kind in all_kinds()}
        found = list(self._selected(changes)[:limit])
        manifests = [event_manifest(change, known[change.resource]) for change in found if change.resource in known]
        metadata = {"resourceVersion": str(found[0].resource_version if found else 0)}
        shaped = shape_list(self.shape, manifests, metadata, self.answer, self.parameters.include_object)
        return self.answer.respond(shaped)

    def _visible(self) -> Any:
        """Changes of the kinds and organizations that the actor may list."""
        actor, namespace = self.actor, self.namespace
        changes = Change.objects.all()
        if namespace == CLUSTER_SCOPED_EVENTS:
            changes = changes.filter(namespace="")
        elif namespace:
            self.organization_id()
            changes = changes.filter(namespace=namespace)
        scopes = {kind.resource: actor.organizations_for("list", kind.plural) for kind in all_kinds()}
        readable = {resource: scope for resource, scope in scopes.items() if scope is None or scope}
        if not readable:
            raise Forbidden(
                _("%(actor)s may not %(verb)s %(what)s")
                % {
                    "actor": actor.name,
                    "verb": "list",
                    "what": "events",
                }
            )
        everywhere = [resource for resource, scope in readable.items() if scope is None]
        visible = changes.filter(resource__in=everywhere)
        names = dict(
            namespace_kind().model._default_manager.filter(pk__in=actor.organizations).values_list("pk", "name")
        )
        for resource, scope in readable.items():
            if scope is not None:
                visible |= changes.filter(resource=resource, organization__in=[names[pk] for pk in scope])
        return visible

    def _selected(self, changes: Any) -> Any:
        kinds = {kind.kind: kind.resource for kind in all_kinds()}
        for term in filter(None, self.parameters.text("fieldSelector").split(",")):
            path, equals, value = term.partition("=")
            value = value.removeprefix("=")
            negated = path.endswith("!")
            path = path.rstrip("!").strip()
            if not equals:
                raise Refused(_("the field selector is not understood: %(term)s") % {"term": term[:80]})
            if path == "involvedObject.kind":
                condition: dict[str, Any] = {"resource": kinds.get(value, "")}
            elif path == "involvedObject.namespace" and value in ("", CLUSTER_SCOPED_EVENTS):
                condition = {"namespace": ""}
            elif path == "involvedObject.uid":
                condition = {"uid__in": _uids(value)}
            elif path in _EVENT_FIELDS:
                condition = {_EVENT_FIELDS[path]: value}
            elif path in ("type", "metadata.namespace", "involvedObject.apiVersion", "involvedObject.resourceVersion"):
                continue
            else:
                raise Refused(_("events cannot be selected by %(field)s") % {"field": path[:80]})
            changes = changes.exclude(**condition) if negated else changes.filter(**condition)
        return changes


class EventView(EventsView):
    def get(self, request: Request, **kwargs: Any) -> HttpResponse:
        name, _dot, number = self.kwargs["name"].rpartition(".")
        # as many digits as a revision can have
        version = int(number, 16) if _HEXADECIMAL.fullmatch(number) else 0
        change = self._visible().exclude(reason="").filter(resource_version=version).first()
        kind = next((kind for kind in all_kinds() if change and kind.resource == change.resource), None)
        if change is None or kind is None or change.name != name:
            raise NotFound(f'events "{self.kwargs["name"]}" not found')
        shaped = shape_one(self.shape, event_manifest(change, kind), self.answer, self.parameters.include_object)
        return self.answer.respond(shaped)
