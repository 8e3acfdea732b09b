"""Guards of roles in an organization."""

from collections.abc import Iterator

from milo.append_only import Guard, delete_only, fixed_as_said, no_replace
from projects.models import Membership

TABLE = Membership._meta.db_table


def guards() -> Iterator[Guard]:
    """Yield the guards of roles; a role is deleted only together with the history row that records it."""
    yield from fixed_as_said(Membership)
    yield from delete_only(
        "membership_revoked_with_history",
        TABLE,
        "EXISTS (SELECT 1 FROM projects_historicalmembership h WHERE h.id = OLD.id AND h.history_type = '-')",
        "a role is revoked together with its history row only",
    )
    yield no_replace("membership_never_replaced", TABLE, ["id"], ["user_id", "organization_id", "role"])
