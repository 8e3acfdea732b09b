"""Who may do what: one table of role x kind x verb x act, asked by services, views and `kubectl auth can-i`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from django.utils.translation import gettext as _

from milo.errors import Forbidden

READ = ("get", "list", "watch")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: `role` may use `verbs` (Kubernetes verbs) and `acts` (POST subresources) on `resource` (plural).

    An `organization` rule holds inside the organizations where the actor has the role,
    any other across the platform.
    """

    role: str
    resource: str
    verbs: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    organization: bool = False

    def allows(self, verb: str, resource: str, act: str = "") -> bool:
        if resource != self.resource:
            return False
        return act in self.acts if act else verb in self.verbs


TABLE: list[Rule] = []
SUPERUSER_ROLES: set[str] = set()
"""Roles across the platform that every superuser holds."""
DECISIONS: set[str] = set()
"""Actions by which a second person decides what a first one asked for."""


def declare(rules: Iterable[Rule]) -> None:
    """Add rows to the table; each application declares those of its own kinds when it is loaded."""
    TABLE.extend(rule for rule in rules if rule not in TABLE)


def grant_superusers(*roles: str) -> None:
    """Have every superuser hold these roles across the platform."""
    SUPERUSER_ROLES.update(roles)


def declare_decisions(*acts: str) -> None:
    """Name the actions that decide, by four eyes, what another person asked for."""
    DECISIONS.update(acts)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person (`user:operator`) or a named part of the platform (`system:validation-sweep`).

    `organizations` maps an organization's primary key to the roles held there. `scopes`, where there are any, are the
    resources (plural) that may be changed; reading is as the roles say. `credential` names what the actor was
    authenticated by (`token:12`, `identity:7`); it gives no right, and actors who differ in it alone are equal.
    `maker` is the actor who made the credential, where that is somebody else.
    """

    name: str
    roles: frozenset[str] = frozenset()
    organizations: Mapping[int, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    scopes: frozenset[str] | None = None
    credential: str = field(default="", compare=False)
    maker: str = field(default="", compare=False)

    @classmethod
    def system(cls, name: str) -> "Actor":
        """The platform itself, for background work; it passes every rule and is named in the history."""
        return cls(f"system:{name}")

    @property
    def is_system(self) -> bool:
        return self.name.startswith("system:")

    def may(self, verb: str, resource: str, organization_id: int | None, *, act: str = "") -> bool:
        """Whether the table lets this actor do `verb` (or the POST subresource `act`) in the organization."""
        if self.scopes is not None and (act or verb not in READ) and resource not in self.scopes:
            return False
        held = self.organizations.get(organization_id, frozenset()) if organization_id else frozenset()
        return self.is_system or any(
            rule.role in (held if rule.organization else self.roles) and rule.allows(verb, resource, act)
            for rule in TABLE
        )

    def organizations_for(self, verb: str, resource: str) -> frozenset[int] | None:
        """Primary keys of the organizations where `verb` is allowed; None means all of them."""
        if self.may(verb, resource, None):
            return None
        return frozenset(pk for pk in self.organizations if self.may(verb, resource, pk))

    def require(self, verb: str, resource: str, organization_id: int | None, *, act: str = "") -> None:
        """Raise `Forbidden` unless `may`."""
        if not self.may(verb, resource, organization_id, act=act):
            what = f"{resource}/{act}" if act else resource
            raise Forbidden(
                _("%(actor)s may not %(verb)s %(what)s here") % {"actor": self.name, "verb": verb, "what": what}
            )
