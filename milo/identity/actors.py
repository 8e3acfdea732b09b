"""People as actors: a user with the roles held across the platform (groups) and in organizations (memberships)."""

from collections import defaultdict

from django.contrib.auth.models import User
from django.db.models import BigIntegerField, Value

from milo.access import Actor
from milo.identity.access import PLATFORM_ADMIN


def actor_of(user: User) -> Actor:
    """The actor that `user` is at this moment, by one query; roles are never cached, so that none outlives its grant.

    A superuser holds `platform-admin` and the staff roles; four eyes bind superusers too.
    """
    across = user.groups.values_list(Value(None, BigIntegerField()), "name")
    within = user.memberships.values_list("organization_id", "role")
    held: dict[int | None, set[str]] = defaultdict(set)
    for organization_id, role in within.union(across):
        held[organization_id].add(role)
    roles = held.pop(None, set())
    if user.is_superuser:
        roles |= {PLATFORM_ADMIN, "finance-operator", "finance-approver", "auditor"}
    return Actor(
        f"user:{user.get_username()}",
        frozenset(roles),
        {pk: frozenset(names) for pk, names in held.items() if pk is not None},
    )
