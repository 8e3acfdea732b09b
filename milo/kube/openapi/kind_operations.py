"""Operations of every kind: collection, object, status, actions and read subresources."""

from milo.kube.collection_views import CollectionView
from milo.kube.kinds import Action, Kind, ReadSubresource
from milo.kube.object_views import ObjectView
from milo.kube.openapi import manifests, parameters
from milo.kube.openapi.operations import Operation, about, allowed, listing, operation, place
from milo.kube.openapi.refusals import OF_CREATE, OF_WRITE
from milo.kube.schemas import NothingSerializer, PatchSerializer
from milo.kube.subresources import ActionView, ReadSubresourceView, StatusView

MERGE_PATCH = "application/merge-patch+json"


@operation.register
def _collection(view: CollectionView, method: str, path: str) -> Operation:
    kind: Kind = view.kind
    within = "{namespace}" in path or not kind.namespaced
    item = manifests.manifest(kind)
    if method == "POST":
        return Operation(
            **about(kind, "create", "post"),
            summary=f"Create a {kind.kind}",
            description=f"{kind.description} {allowed(kind, 'create')}",
            parameters=(*place(kind, named=False), *parameters.OF_WRITE),
            body=item,
            body_example=manifests.example_sent(kind),
            answer=item,
            answer_example=manifests.example(kind),
            status=201,
            refuses=OF_CREATE,
        )
    described = about(kind, "list", "list")
    if not within:
        described["id"] = f"list{kind.kind}ForAllNamespaces"
    answer, example = listing(kind, item, [manifests.example(kind)])
    return Operation(
        **described,
        summary=f"List or watch {kind.kind} objects" + ("" if within else " of all organizations"),
        description=allowed(kind, "list"),
        parameters=(*(place(kind, named=False) if within else ()), *parameters.of_list(kind)),
        answer=answer,
        answer_example=example,
        refuses=(404, 410) if within and kind.namespaced else (410,),
    )


@operation.register
def _object(view: ObjectView, method: str, path: str) -> Operation | None:
    kind: Kind = view.kind
    if method == "GET":
        return _read(kind)
    # DELETE is always refused
    describe = {"PUT": replace, "PATCH": patch}.get(method)
    return describe(kind, kind) if describe else None


def _read(kind: Kind) -> Operation:
    return Operation(
        **about(kind, "read", "get"),
        summary=f"Read a {kind.kind}",
        description=f"{kind.description} {allowed(kind, 'get')}",
        parameters=(*place(kind), parameters.INCLUDE_OBJECT, parameters.IF_NONE_MATCH),
        answer=manifests.manifest(kind),
        answer_example=manifests.example(kind),
        refuses=(404,),
        unchanged=True,
    )


def replace(kind: Kind, owner: Kind) -> Operation:
    """Describe PUT of an object. `owner` is the kind whose rules in the access table apply."""
    return Operation(
        **about(kind, "replace", "put"),
        summary=f"Replace a {kind.kind}",
        description=f"metadata.resourceVersion or If-Match names the revision to replace. {allowed(owner, 'update')}",
        parameters=(*place(kind), *parameters.OF_WRITE, parameters.IF_MATCH),
        body=manifests.manifest(kind),
        body_example=manifests.example_sent(kind, version="42"),
        answer=manifests.manifest(kind),
        answer_example=manifests.example(kind),
        refuses=OF_WRITE,
    )


def patch(kind: Kind, owner: Kind) -> Operation:
    """Describe PATCH of an object. `owner` is the kind whose rules in the access table apply."""
    effect = "Fields that are not sent stay as they are. Server-side apply creates an object that does not exist."
    return Operation(
        **about(kind, "patch", "patch"),
        summary=f"Change a part of a {kind.kind}",
        description=f"{effect} {allowed(owner, 'patch')}",
        parameters=(*place(kind), *parameters.OF_WRITE, parameters.FORCE, parameters.IF_MATCH),
        body=PatchSerializer,
        body_example={"metadata": {"labels": {"region": "us"}}},
        body_type=MERGE_PATCH,
        answer=manifests.manifest(kind),
        answer_example=manifests.example(kind),
        makes=True,
        refuses=OF_WRITE,
    )


@operation.register
def _status(view: StatusView, method: str, path: str) -> Operation | None:
    kind: Kind = view.kind
    return Operation(
        **about(kind, "read", "get", "Status"),
        summary=f"Read a {kind.kind} through its status",
        description=f"The whole object. Only actions write its status. {allowed(kind, 'get')}",
        parameters=(*place(kind), parameters.INCLUDE_OBJECT),
        answer=manifests.manifest(kind),
        answer_example=manifests.example(kind),
        refuses=(404,),
    )


@operation.register
def _action(view: ActionView, method: str, path: str) -> Operation | None:
    kind: Kind = view.kind
    action: Action = view.of
    return Operation(
        **about(kind, action.name, "post"),
        summary=f"{action.name.capitalize()} a {kind.kind}",
        description=f"{action.description} {allowed(kind, 'create', action.required)}",
        parameters=(*place(kind), parameters.DRY_RUN, parameters.INCLUDE_OBJECT, parameters.IF_MATCH),
        body=manifests.body(kind, action),
        body_example={"spec": dict(action.example)},
        answer=action.response or manifests.manifest(kind),
        answer_example=action.response_example if action.response else manifests.example(kind),
        refuses=OF_WRITE,
    )


@operation.register
def _read_subresource(view: ReadSubresourceView, method: str, path: str) -> Operation | None:
    kind: Kind = view.kind
    subresource: ReadSubresource = view.of
    return Operation(
        **about(kind, "read", "get", subresource.name.capitalize()),
        summary=f"Read {subresource.name} of a {kind.kind}",
        description=f"{subresource.description} {allowed(kind, subresource.verb)}",
        parameters=(*place(kind), *([] if subresource.parameters is NothingSerializer else [subresource.parameters])),
        answer=subresource.response,
        answer_example=subresource.example,
        refuses=(404, 422),
    )
