"""Resources that are posted to and have no objects of their own, as the reviews have none."""

from dataclasses import dataclass
from typing import Any


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
