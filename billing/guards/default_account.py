"""Guards of default accounts: each is an account of the organization that is not closed."""

from collections.abc import Iterator

from billing.models import BillingAccount, DefaultAccount
from milo.append_only import Guard, fixed_as_said, no_delete, no_replace, refuse

TABLE, ACCOUNT = DefaultAccount._meta.db_table, BillingAccount._meta.db_table
_CANNOT_PAY = (
    f"NEW.account_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {ACCOUNT} a WHERE a.id = NEW.account_id"
    " AND a.organization_id = NEW.organization_id AND a.phase NOT IN ('Closed', 'Archived'))"
)
_MESSAGE = "the account is of another organization, or closed"


def guards() -> Iterator[Guard]:
    """Yield the guards of default accounts, and the one that keeps a default account from being closed."""
    yield from fixed_as_said(DefaultAccount)
    yield refuse("default_account_open", TABLE, "INSERT", _CANNOT_PAY, _MESSAGE)
    yield refuse(
        "default_account_stays_open",
        TABLE,
        "UPDATE",
        f"NEW.account_id IS DISTINCT FROM OLD.account_id AND {_CANNOT_PAY}",
        _MESSAGE,
    )
    yield no_delete("default_account_never_deleted", TABLE)
    yield no_replace("default_account_never_replaced", TABLE, ["id"], ["organization_id"])
    # a closure that races a new default: the account would be named and could never pay
    yield refuse(
        "account_closed_while_default",
        ACCOUNT,
        "UPDATE",
        f"NEW.phase IN ('Closed', 'Archived') AND EXISTS (SELECT 1 FROM {TABLE} d WHERE d.account_id = NEW.id)",
        "the account pays for new projects of its organization",
    )
