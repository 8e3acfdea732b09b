"""People as actors: a user with the roles held across the platform (groups) and in organizations (memberships)."""

from collections import defaultdict

from django.contrib.auth.models import User

from milo.access import Actor


def actor_of(user: User) -> Actor:
    """The actor that `user` is at this moment; roles are read from the database each time, so that none outlives its grant.

    A superuser holds the platform roles `finance-operator`, `finance-approver` and `auditor`.
    """
    organizations: dict[int, set[str]] = defaultdict(set)
    for organization_id, role in user.memberships.values_list("organization_id", "role"):  # type: ignore[attr-defined]
        organizations[organization_id].add(role)
    roles = set(user.groups.values_list("name", flat=True))
    if user.is_superuser:
        roles |= {"finance-operator", "finance-approver", "auditor"}
    return Actor(
        f"user:{user.get_username()}",
        frozenset(roles),
        {pk: frozenset(held) for pk, held in organizations.items()},
    )
