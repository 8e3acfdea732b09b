"""Guards of billing's tables: what the database itself refuses, by triggers and constraints, one module a table.

Start with `binding`: one payer at every instant. Each module yields the guards of its table, and `milo.append_only`
installs them. How a column may change is declared beside it, in its model (`columns`); rules across rows and tables are
here.
"""

from billing.guards import (
    account,
    affiliated_account,
    affiliation,
    approval,
    binding,
    charge,
    default_account,
    hold,
    notice,
    payer_change,
    payer_correction,
    payer_lock,
    project,
    redaction,
    suspension,
    unbound_project,
    usage,
    usage_assignment,
    usage_closing,
    usage_rollup,
)
from billing.models import AccountPayer, UsageRollup
from milo import append_only

__all__ = ["declare_guards"]

_TABLES = (
    account,
    affiliation,
    affiliated_account,
    approval,
    binding,
    charge,
    default_account,
    hold,
    notice,
    payer_change,
    payer_lock,
    payer_correction,
    project,
    redaction,
    suspension,
    unbound_project,
    usage,
    usage_assignment,
    usage_closing,
    usage_rollup,
)


def declare_guards() -> None:
    """Declare the guards of every table of billing, and those of billing on projects."""
    append_only.deletable(AccountPayer._meta.db_table, UsageRollup._meta.db_table)
    append_only.declare("billing", *(guard for table in _TABLES for guard in table.guards()))
