"""Users as actors: a user with its platform roles (groups) and its roles in organizations."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User

from milo.access import SUPERUSER_ROLES, Actor
from milo.compiled_queries import CompiledQuery, Param

PERSON = "user:"
"""Prefix of the actor name of a user."""
_in_organizations: list[str] = []


def register_organization_roles(organization_id: str, role: str) -> None:
    """Register the ORM paths from a user to the organizations in which it has roles, and to these roles."""
    _in_organizations[:] = [organization_id, role]


def held_columns() -> tuple[str, ...]:
    """Return the ORM paths of all roles of a user, to be read in one query.

    The query returns a row for each combination of a role in an organization and a group. Each part is None if the user
    has none.
    """
    return (*_in_organizations, "groups__name")


def actor_of(user: User) -> Actor:
    """Return the actor for `user`. Roles are read anew each time, so that a revoked role ends at once."""
    return actor_with(user, _HELD.fetch(user=user.pk))


# every page of the staff site asks
_HELD = CompiledQuery(lambda: User.objects.filter(pk=Param("user")).values_list(*held_columns()))


def roles_beyond(one: Actor, other: Actor) -> frozenset[str]:
    """Return the platform roles and roles in organizations that `one` holds and `other` lacks."""
    more = set(one.roles - other.roles)
    for organization, roles in one.organizations.items():
        more |= roles - other.organizations.get(organization, frozenset())
    return frozenset(more)


def is_deactivated(name: str) -> bool:
    """Return whether an actor name belongs to a deactivated user. False for an unknown user."""
    return User.objects.filter(username=name.removeprefix(PERSON), is_active=False).exists()


def actor_with(user: User, held: Iterable[tuple[Any, ...]]) -> Actor:
    """Return the actor for `user` with the roles in `held`, rows of `held_columns`.

    A superuser also holds `SUPERUSER_ROLES`. The four-eyes rules apply to superusers too.
    """
    roles: set[str] = set()
    organizations: dict[int, set[str]] = defaultdict(set)
    for *within, group in held:
        if within and within[0] is not None:
            organizations[within[0]].add(within[1])
        if group is not None:
            roles.add(group)
    if user.is_superuser:
        roles |= SUPERUSER_ROLES
    return Actor(
        f"{PERSON}{user.get_username()}",
        frozenset(roles),
        {pk: frozenset(names) for pk, names in organizations.items()},
    )
