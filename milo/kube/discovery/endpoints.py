"""Addresses beside those of kinds: resources that are posted to and have no objects of their own, and files."""

from dataclasses import dataclass
from typing import Any

from milo.kube.kinds import Kind


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`view` answers POST at the address of `plural`; a body may hold `body_limit` bytes.

    `resource` is its name in the access table.
    """

    group: str
    version: str
    plural: str
    kind: str
    resource: str
    view: Any
    body_limit: int

    @property
    def path(self) -> str:
        return f"apis/{self.group}/{self.version}/{self.plural}"


_endpoints: dict[str, Endpoint] = {}


def register(endpoint: Endpoint) -> Endpoint:
    """Make an endpoint known to routes and discovery."""
    _endpoints[endpoint.path] = endpoint
    return endpoint


def all_endpoints() -> list[Endpoint]:
    return list(_endpoints.values())


_files: dict[str, Any] = {}


def register_file(kind: Kind, name: str, view: Any) -> None:
    """Have `view` answer GET at `name` below each object of a namespaced kind, with a file that is no reading."""
    _files[f"apis/{kind.api_version}/namespaces/<str:namespace>/{kind.plural}/<str:name>/{name}"] = view


def all_files() -> dict[str, Any]:
    """Return the view of each address of files."""
    return dict(_files)
