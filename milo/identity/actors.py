"""People as actors: a user with the roles held across the platform (groups) and in organizations."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User

from milo.access import SUPERUSER_ROLES, Actor

PERSON = "user:"
"""With what the name of an actor begins that is a person."""
_in_organizations: list[str] = []


def register_organization_roles(organization_id: str, role: str) -> None:
    """Have the roles in organizations read from these ORM paths of a user."""
    _in_organizations[:] = [organization_id, role]


def held_columns() -> tuple[str, ...]:
    """Return the ORM paths of all that a user holds, for one query.

    It answers with a row for each pair of a role in an organization and a group, None where there is none.
    """
    return (*_in_organizations, "groups__name")


def actor_of(user: User) -> Actor:
    """The actor that `user` is at this moment; roles are never cached, so that none outlives its grant."""
    return actor_with(user, User.objects.filter(pk=user.pk).values_list(*held_columns()))


def roles_beyond(one: Actor, other: Actor) -> frozenset[str]:
    """Return the roles, across the platform and in organizations, that `one` holds and `other` lacks."""
    more = set(one.roles - other.roles)
    for organization, roles in one.organizations.items():
        more |= roles - other.organizations.get(organization, frozenset())
    return frozenset(more)


def is_deactivated(name: str) -> bool:
    """Whether the actor of that name is a person who may not log in any more; who is unknown here is not."""
    return User.objects.filter(username=name.removeprefix(PERSON), is_active=False).exists()


def actor_with(user: User, held: Iterable[tuple[Any, ...]]) -> Actor:
    """The actor that `user` is with `held`, rows of the `held_columns`.

    A superuser holds `SUPERUSER_ROLES` besides; four eyes bind superusers too.
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
