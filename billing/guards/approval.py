"""Guards of approval requests."""

from collections.abc import Iterator

from billing.guards.sql import PURGED
from billing.models import ApprovalRequest
from milo.append_only import Guard, fixed_as_said, no_delete, no_replace

TABLE = ApprovalRequest._meta.db_table


def guards() -> Iterator[Guard]:
    """Yield the guards of approval requests."""
    yield from fixed_as_said(ApprovalRequest, purge=PURGED)
    yield no_delete("approval_never_deleted", TABLE)
    yield no_replace(
        "approval_never_replaced", TABLE, ["id"], ["uid"], ["organization_id", "name"], ["account_id", "act", "phase"]
    )
