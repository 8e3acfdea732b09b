"""What each view does by each method, as an operation of the document."""

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
    """One operation: `refuses` are the HTTP status codes beyond those that every operation has."""

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
    """The first is that of the example."""
    status: int = 200
    refuses: tuple[int, ...] = ()
    makes: bool = False
    """Whether it answers 201 too."""
    unchanged: bool = False
    """Whether it answers 304 to an If-None-Match."""


@singledispatch
def operation(view: Any, method: str, path: str) -> Operation | None:
    """The operation of `method` (upper case) on a view at `path`; None for one that always refuses."""
    raise NotImplementedError(f"{type(view).__name__} is not described")


def allowed(kind: Kind, verb: str, act: str = "") -> str:
    """Who may, from the one access table."""
    roles = sorted(
        f"{rule.role} of the organization" if rule.organization else rule.role
        for rule in TABLE
        if rule.allows(verb, kind.plural, act)
    )
    return f"Allowed to: {', '.join(roles)}." if roles else ""


def place(kind: Kind, *, named: bool = True) -> tuple[OpenApiParameter, ...]:
    """Variables of the path of a kind's objects."""
    organization, name = namespace_kind().example["metadata"]["name"], kind.example["metadata"]["name"]
    namespace = parameters.in_path("namespace", organization, "Name of the organization.")
    own = parameters.in_path("name", name, f"Name of the {kind.kind}.")
    return (*([namespace] if kind.namespaced else []), *([own] if named else []))


def listing(kind: Kind, item: Any, examples: list[dict[str, Any]]) -> tuple[Any, dict[str, Any]]:
    """The serializer and an example of a list."""
    shown = {"apiVersion": kind.api_version, "kind": f"{kind.kind}List", "metadata": {"resourceVersion": "42"}}
    return manifests.listed(kind.kind, kind.api_version, item), {**shown, "items": examples}


def about(kind: Kind, name: str, action: str, part: str = "") -> dict[str, Any]:
    """What every operation of a kind has; `action` is what kubectl calls it, `part` a subresource."""
    scope = "Namespaced" if kind.namespaced else ""
    return {
        "id": f"{name}{scope}{kind.kind}{part}",
        "tag": kind.kind,
        "of": manifests.gvk(kind.kind, kind.api_version),
        "action": action,
    }
