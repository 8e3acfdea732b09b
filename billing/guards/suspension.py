"""Guards of suspensions."""

from collections.abc import Iterator

from billing.guards.sql import PURGED
from billing.models import Suspension
from milo.append_only import Guard, fixed_as_said, no_delete, no_replace, refuse

TABLE = Suspension._meta.db_table


def guards() -> Iterator[Guard]:
    """Yield the guards of suspensions."""
    yield from fixed_as_said(Suspension, purge=PURGED)
    yield refuse(
        "suspension_of_suspended",
        TABLE,
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM billing_billingaccount a WHERE a.id = NEW.account_id AND a.phase = 'Suspended')",
        "the account is not Suspended",
    )
    yield no_delete("suspension_never_deleted", TABLE)
    yield no_replace("suspension_never_replaced", TABLE, ["id"], ["uid"])
