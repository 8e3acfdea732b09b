"""Registry of paths besides those of kinds: resources that only accept POST, and files."""

from dataclasses import dataclass
from typing import Any

from milo.kube.kinds import Kind


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A resource without objects. `view` answers POST at `path`; bodies are limited to `body_limit` bytes.

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
    """Register an endpoint for routes and discovery."""
    _endpoints[endpoint.path] = endpoint
    return endpoint


def all_endpoints() -> list[Endpoint]:
    return list(_endpoints.values())


_files: dict[str, Any] = {}


def register_file(kind: Kind, name: str, view: Any) -> None:
    """Register a view that answers GET at `name` below each object of a namespaced kind with a file.

    For files that are no JSON and hence no read subresource.
    """
    _files[f"apis/{kind.api_version}/namespaces/<str:namespace>/{kind.plural}/<str:name>/{name}"] = view


def all_files() -> dict[str, Any]:
    """Return the registered file views by URL pattern."""
    return dict(_files)
