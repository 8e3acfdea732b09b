"""OpenAPI operations: the description of each method of each view."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from drf_spectacular.utils import OpenApiParameter

from milo.access import TABLE
from milo.kube.kinds import Kind, namespace_kind
from milo.kube.openapi import manifests, parameters

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `refuses` holds the HTTP status codes besides those of every operation (`refusals.ALWAYS`)."""

    id: str
    summary: str
    tag: str
    answer: Any
    answer_example: Mapping[str, Any] | str
    action: str = "get"
    description: str = ""
    of: dict[str, str] | None = None
    parameters: tuple[OpenApiParameter | Any, ...] = ()
    body: Any = None
    body_example: Mapping[str, Any] | None = None
    body_type: str = JSON
    answer_types: tuple[str, ...] = (JSON,)
    """Media types of the answer; the example has the first."""
    status: int = 200
    refuses: tuple[int, ...] = ()
    writes: bool = True
    """Whether a POST of it changes anything."""
    makes: bool = False
    """Whether it may also answer 201."""
    unchanged: bool = False
    """Whether it may answer 304 to If-None-Match."""


@singledispatch
def operation(view: Any, method: str, path: str) -> Operation | None:
    """Describe `method` (upper case) of a view at `path`. None if the view always refuses the method.

    Dispatches on the class of the view. Raises `NotImplementedError` for a view without a description.
    """
    raise NotImplementedError(f"{type(view).__name__} is not described")


def allowed(kind: Kind, verb: str, action: str = "") -> str:
    """Return the sentence that names the permitted roles, from the access table."""
    roles = sorted(
        f"{rule.role} of the organization" if rule.organization else rule.role
        for rule in TABLE
        if rule.allows(verb, kind.plural, action)
    )
    return f"Allowed to: {', '.join(roles)}." if roles else ""


def place(kind: Kind, *, named: bool = True) -> tuple[OpenApiParameter, ...]:
    """Return the path parameters of a kind: the namespace if it has one, and the name if `named`."""
    organization, name = namespace_kind().example["metadata"]["name"], kind.example["metadata"]["name"]
    namespace = parameters.in_path("namespace", organization, "Name of the organization.")
    own = parameters.in_path("name", name, f"Name of the {kind.kind}.")
    return (*([namespace] if kind.namespaced else []), *([own] if named else []))


def listing(kind: Kind, item: Any, examples: list[dict[str, Any]]) -> tuple[Any, dict[str, Any]]:
    """Return the serializer of a list and an example."""
    head = {"apiVersion": kind.api_version, "kind": f"{kind.kind}List", "metadata": {"resourceVersion": "42"}}
    return manifests.listed(kind.kind, kind.api_version, item), {**head, "items": examples}


def about(kind: Kind, name: str, action: str, part: str = "") -> dict[str, Any]:
    """Return the fields common to all operations of a kind.

    `action` is the value of `x-kubernetes-action`, `part` a subresource.
    """
    scope = "Namespaced" if kind.namespaced else ""
    return {
        "id": f"{name}{scope}{kind.kind}{part}",
        "tag": kind.kind,
        "of": manifests.gvk(kind.kind, kind.api_version),
        "action": action,
    }
