"""People as actors: a user with the roles held across the platform (groups) and in organizations (memberships)."""

from collections import defaultdict
from collections.abc import Iterable

from django.contrib.auth.models import User

from milo.access import Actor
from milo.identity.access import PLATFORM_ADMIN

PERSON = "user:"
"""With what the name of an actor begins that is a person."""
HELD = ("memberships__organization_id", "memberships__role", "groups__name")
"""What a user holds, in one query: a row for each pair of a membership and a group, None where there is none."""


def actor_of(user: User) -> Actor:
    """The actor that `user` is at this moment; roles are never cached, so that none outlives its grant."""
    return actor_with(user, User.objects.filter(pk=user.pk).values_list(*HELD))


def is_deactivated(name: str) -> bool:
    """Whether the actor of that name is a person who may not log in any more; who is unknown here is not."""
    return User.objects.filter(username=name.removeprefix(PERSON), is_active=False).exists()


def actor_with(user: User, held: Iterable[tuple[int | None, str, str | None]]) -> Actor:
    """The actor that `user` is with `held`, rows of the columns `HELD`.

    A superuser holds `platform-admin` and the staff roles; four eyes bind superusers too.
    """
    roles: set[str] = set()
    organizations: dict[int, set[str]] = defaultdict(set)
    for organization_id, role, group in held:
        if organization_id is not None:
            organizations[organization_id].add(role)
        if group is not None:
            roles.add(group)
    if user.is_superuser:
        roles |= {PLATFORM_ADMIN, "finance-operator", "finance-approver", "auditor"}
    return Actor(
        f"{PERSON}{user.get_username()}",
        frozenset(roles),
        {pk: frozenset(names) for pk, names in organizations.items()},
    )
