"""Guards of approval requests."""

from collections.abc import Iterator

from billing.guards.sql import PURGED
from billing.models import ApprovalRequest
from milo.append_only import Guard, fixed_as_said, no_delete, no_replace, refuse

TABLE = ApprovalRequest._meta.db_table
_OF_A_PROJECT = ", ".join(f"'{act.value}'" for act in ApprovalRequest.OF_A_PROJECT)


def guards() -> Iterator[Guard]:
    """Yield the guards of approval requests."""
    yield from fixed_as_said(ApprovalRequest, purge=PURGED)
    yield no_delete("approval_never_deleted", TABLE)
    yield no_replace(
        "approval_never_replaced",
        TABLE,
        ["id"],
        ["uid"],
        ["organization_id", "name"],
        partial=(["account_id", "act", "phase"], f"NEW.act NOT IN ('MovePayers', {_OF_A_PROJECT})"),
    )
    # the second to be approved would be about a timeline that the first has changed
    yield refuse(
        "approval_one_correction_of_project",
        TABLE,
        "INSERT",
        f"NEW.act IN ({_OF_A_PROJECT}) AND EXISTS (SELECT 1 FROM {TABLE} r WHERE r.act = NEW.act"
        " AND r.phase = 'Pending' AND r.organization_id = NEW.organization_id"
        " AND r.proposal ->> 'project' = NEW.proposal ->> 'project')",
        "a request about the payers of this project is pending",
    )
