"""Rights: one table of role, resource, verb and action. Services, views and `kubectl auth can-i` read it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from django.utils.translation import gettext as _

from milo.errors import Forbidden

READ = ("get", "list", "watch")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: `role` may use `verbs` (Kubernetes verbs) and `actions` (POST subresources) on `resource` (plural).

    With `organization` it holds in the organizations where the actor has the role, otherwise across the platform.
    """

    role: str
    resource: str
    verbs: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    organization: bool = False

    def allows(self, verb: str, resource: str, action: str = "") -> bool:
        if resource != self.resource:
            return False
        return action in self.actions if action else verb in self.verbs


TABLE: list[Rule] = []
SUPERUSER_ROLES: set[str] = set()
"""Roles across the platform that every superuser holds."""
DECISIONS: set[str] = set()
"""Actions by which a second person decides what a first one asked for."""


def declare(rules: Iterable[Rule]) -> None:
    """Add rows to the table. Each application declares those of its own kinds when it is loaded."""
    TABLE.extend(rule for rule in rules if rule not in TABLE)


def grant_superusers(*roles: str) -> None:
    """Grant every superuser these roles across the platform."""
    SUPERUSER_ROLES.update(roles)


def declare_decisions(*actions: str) -> None:
    """Register actions that decide on the request of another person (four eyes)."""
    DECISIONS.update(actions)


@dataclass(frozen=True, slots=True)
class Actor:
    """The author of a change: a person (`user:operator`) or a named part of the platform (`system:validation-sweep`).

    `organizations` maps an organization's primary key to the roles held there. `scopes`, unless None, are the only
    resources (plural) that may be changed; they do not limit reading. `credential` names what authenticated the actor
    (`token:12`, `identity:7`); it grants nothing and is ignored when actors are compared. `maker` is the actor who made
    the credential, if that is somebody else.
    """

    name: str
    roles: frozenset[str] = frozenset()
    organizations: Mapping[int, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    scopes: frozenset[str] | None = None
    credential: str = field(default="", compare=False)
    maker: str = field(default="", compare=False)

    @classmethod
    def system(cls, name: str) -> "Actor":
        """Return the platform itself, for background work. It has every right, and histories name it as author."""
        return cls(f"system:{name}")

    @property
    def is_system(self) -> bool:
        return self.name.startswith("system:")

    def may(self, verb: str, resource: str, organization_id: int | None, *, action: str = "") -> bool:
        """Return whether this actor may use `verb` (or the POST subresource `action`) in the organization.

        Without `organization_id` only roles across the platform count.
        """
        if self.scopes is not None and (action or verb not in READ) and resource not in self.scopes:
            return False
        held = self.organizations.get(organization_id, frozenset()) if organization_id else frozenset()
        return self.is_system or any(
            rule.role in (held if rule.organization else self.roles) and rule.allows(verb, resource, action)
            for rule in TABLE
        )

    def organizations_for(self, verb: str, resource: str) -> frozenset[int] | None:
        """Return the primary keys of the organizations where `verb` is allowed; None means all of them."""
        if self.may(verb, resource, None):
            return None
        return frozenset(pk for pk in self.organizations if self.may(verb, resource, pk))

    def require(self, verb: str, resource: str, organization_id: int | None, *, action: str = "") -> None:
        """Raise `Forbidden` unless `may`."""
        if not self.may(verb, resource, organization_id, action=action):
            what = f"{resource}/{action}" if action else resource
            raise Forbidden(
                _("%(actor)s may not %(verb)s %(what)s here") % {"actor": self.name, "verb": verb, "what": what}
            )
