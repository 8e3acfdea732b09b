"""What the database itself refuses of billing's tables, a file for each; `milo.append_only` installs it.

What a column may become stands beside it, in its model (`columns`); here stand the rules across rows and tables.
"""

from billing.guards import (
    account,
    approval,
    binding,
    charge,
    hold,
    notice,
    project,
    redaction,
    suspension,
    usage,
    usage_assignment,
    usage_closing,
    usage_rollup,
)
from billing.models import UsageRollup
from milo import append_only

__all__ = ["declare_guards"]

_TABLES = (
    account,
    approval,
    binding,
    charge,
    hold,
    notice,
    project,
    redaction,
    suspension,
    usage,
    usage_assignment,
    usage_closing,
    usage_rollup,
)


def declare_guards() -> None:
    """Declare the guards of every table of billing, and what billing refuses of a project."""
    append_only.deletable(UsageRollup._meta.db_table)
    append_only.declare("billing", *(guard for table in _TABLES for guard in table.guards()))
