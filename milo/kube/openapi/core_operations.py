"""Operations of the core group, the reviews and discovery."""

from collections.abc import Mapping
from typing import Any

from milo.access import TABLE
from milo.kube.core.apiextensions import DefinitionsView, DefinitionView
from milo.kube.core.core_schemas import EventSerializer
from milo.kube.core.event_views import EventsView, EventView
from milo.kube.core.events import EventShape, default_message
from milo.kube.core.namespaces import NamespaceShape, NamespacesView, NamespaceView
from milo.kube.discovery import documents
from milo.kube.discovery.discovery_schemas import (
    APIGroupListSerializer,
    APIGroupSerializer,
    APIResourceListSerializer,
    APIVersionsSerializer,
    VersionInfoSerializer,
)
from milo.kube.discovery.documents import CoreVersionsView, GroupsView, GroupView, ResourcesView, VersionView
from milo.kube.illustrations import illustrations
from milo.kube.kinds import all_kinds, namespace_kind
from milo.kube.openapi import kind_operations, manifests, parameters
from milo.kube.openapi.operations import Operation, about, allowed, listing, operation, place
from milo.kube.openapi.refusals import OF_CREATE
from milo.kube.reviews.reviews import ReviewView

WORD = {"type": "string", "pattern": "^[a-z0-9.-]+$"}
NAMESPACE, EVENT = NamespaceShape(), EventShape()
EventManifest = manifests.known(EventSerializer, "Event", "v1")


def _event_example() -> dict[str, Any]:
    kind = next(kind for kind in all_kinds() if kind.namespaced)
    of = manifests.example(kind)["metadata"]
    at, reason, actor = of["creationTimestamp"], f"{kind.kind}Opened", f"user:{illustrations().person}"
    identity = {key: of[key] for key in ("name", "namespace", "uid", "resourceVersion") if key in of}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {**identity, "name": f"{of['name']}.2a", "creationTimestamp": at},
        "involvedObject": {"apiVersion": kind.api_version, "kind": kind.kind, **identity},
        "reason": reason,
        "message": default_message(reason, actor),
        "type": "Normal",
        **dict.fromkeys(("firstTimestamp", "lastTimestamp", "eventTime"), at),
        "count": 1,
        "action": reason,
        "source": {"component": actor},
        "reportingComponent": actor,
        "reportingInstance": "",
    }


@operation.register
def _namespaces(view: NamespacesView, method: str, path: str) -> Operation:
    item, owner = manifests.manifest(NAMESPACE), namespace_kind()
    if method == "POST":
        return Operation(
            **about(NAMESPACE, "create", "post"),
            summary="Create a namespace: an organization",
            description=allowed(owner, "create"),
            parameters=parameters.OF_WRITE,
            body=item,
            body_example=manifests.example_sent(NAMESPACE),
            answer=item,
            answer_example=manifests.example(NAMESPACE),
            status=201,
            refuses=OF_CREATE,
        )
    answer, example = listing(NAMESPACE, item, [manifests.example(NAMESPACE)])
    return Operation(
        **about(NAMESPACE, "list", "list"),
        summary="List namespaces: the organizations that you may see",
        description=allowed(owner, "list"),
        parameters=parameters.of_list(owner),
        answer=answer,
        answer_example=example,
        refuses=(410,),
    )


@operation.register
def _namespace(view: NamespaceView, method: str, path: str) -> Operation | None:
    describe = {"PUT": kind_operations.replace, "PATCH": kind_operations.patch}.get(method)
    if method != "GET":
        return describe(NAMESPACE, namespace_kind()) if describe else None
    return Operation(
        **about(NAMESPACE, "read", "get"),
        summary="Read a namespace: an organization",
        description=allowed(namespace_kind(), "get"),
        parameters=(*place(NAMESPACE), parameters.INCLUDE_OBJECT),
        answer=manifests.manifest(NAMESPACE),
        answer_example=manifests.example(NAMESPACE),
        refuses=(404,),
    )


@operation.register
def _events(view: EventsView, method: str, path: str) -> Operation:
    within = "{namespace}" in path
    answer, example = listing(EVENT, EventManifest, [_event_example()])
    described = about(EVENT, "list", "list")
    if not within:
        described["id"] = "listEventForAllNamespaces"
    return Operation(
        **described,
        summary="List events" + ("" if within else " of all organizations"),
        description="Events of the objects that you may list, newest first. A watch sends them in commit order.",
        parameters=(
            *(place(EVENT, named=False) if within else ()),
            parameters.LIMIT,
            parameters.field_selector(EVENT),
            *parameters.OF_WATCH,
            parameters.INCLUDE_OBJECT,
        ),
        answer=answer,
        answer_example=example,
        refuses=(404,) if within else (),
    )


@operation.register
def _event(view: EventView, method: str, path: str) -> Operation:
    example = _event_example()
    name = parameters.in_path("name", example["metadata"]["name"], "Name of the event.", WORD)
    return Operation(
        **about(EVENT, "read", "get"),
        summary="Read an event",
        parameters=(*place(EVENT, named=False), name, parameters.INCLUDE_OBJECT),
        answer=EventManifest,
        answer_example=example,
        refuses=(404,),
    )


@operation.register
def _review(view: ReviewView, method: str, path: str) -> Operation:
    reviewed = manifests.review(type(view))  # type: ignore[arg-type]
    sent = {"apiVersion": view.api_version, "kind": view.review, "spec": view.example[0]}
    roles = [rule.role for rule in TABLE if rule.allows("create", view.resource)]
    return Operation(
        id=f"create{view.review}",
        description=f"Allowed to: {', '.join(roles)}." if roles else "",
        action="post",
        of=manifests.gvk(view.review, view.api_version),
        summary=view.question,
        tag="Review",
        body=reviewed,
        body_example=sent,
        answer=reviewed,
        answer_example=sent | {"metadata": {}, "status": view.example[1]},
        status=201,
        refuses=(408, 413, 415),
        writes=False,
    )


@operation.register(DefinitionsView)
@operation.register(DefinitionView)
def _definitions(view: DefinitionsView | DefinitionView, method: str, path: str) -> None:
    """Describe nothing: there are no definitions."""


def _discovery(id: str, summary: str, answer: Any, example: Mapping[str, Any], *variables: str) -> Operation:
    first = all_kinds()[0]
    in_path = tuple(parameters.in_path(name, getattr(first, name), f"The API {name}.", WORD) for name in variables)
    missing = (404,) if variables else ()
    return Operation(id, summary, "Discovery", answer, example, parameters=in_path, refuses=missing)


@operation.register
def _version(view: VersionView, method: str, path: str) -> Operation:
    summary = "Which Kubernetes API conventions are followed"
    return _discovery("getVersion", summary, VersionInfoSerializer, documents.version_info())


@operation.register
def _core_versions(view: CoreVersionsView, method: str, path: str) -> Operation:
    example = documents.core_versions("localhost:8443")
    return _discovery("getCoreAPIVersions", "Versions of the core group", APIVersionsSerializer, example)


@operation.register
def _groups(view: GroupsView, method: str, path: str) -> Operation:
    return _discovery("getAPIGroups", "API groups", APIGroupListSerializer, documents.group_list())


@operation.register
def _group(view: GroupView, method: str, path: str) -> Operation:
    example = documents.group_list()["groups"][0]
    return _discovery("getAPIGroup", "An API group", APIGroupSerializer, example, "group")


@operation.register
def _resources(view: ResourcesView, method: str, path: str) -> Operation:
    if "{group}" not in path:
        example = documents.resource_list("", "v1")
        return _discovery("getCoreAPIResources", "Kinds of the core group", APIResourceListSerializer, example)
    first = all_kinds()[0]
    example = documents.resource_list(first.group, first.version)
    summary = "Kinds of an API group"
    return _discovery("getAPIResources", summary, APIResourceListSerializer, example, "group", "version")
