"""Guards of accounts: not Ready with an open suspension, not closed while paying, not purged under a hold."""

from collections.abc import Iterator

from billing.guards.sql import still_paid_for
from billing.models import BillingAccount
from billing.models.account import PURGE
from milo.append_only import Guard, fixed_as_said, no_delete, no_replace, refuse

TABLE = BillingAccount._meta.db_table
_HELD = "EXISTS (SELECT 1 FROM billing_hold h WHERE h.account_id = NEW.id AND h.released_at IS NULL)"
_OPEN_SUSPENSION = "EXISTS (SELECT 1 FROM billing_suspension s WHERE s.account_id = NEW.id AND s.resolved_at IS NULL)"


def guards() -> Iterator[Guard]:
    """Yield the guards of accounts."""
    yield from fixed_as_said(BillingAccount, purge=PURGE)
    yield no_delete("account_never_deleted", TABLE)
    yield no_replace("account_never_replaced", TABLE, ["id"], ["uid"], ["organization_id", "name"])
    yield from _of_purges()
    # a reactivation racing a second suspension
    yield refuse(
        "account_ready_while_suspended",
        TABLE,
        "UPDATE",
        f"NEW.phase = 'Ready' AND {_OPEN_SUSPENSION}",
        "a suspension of the account is open",
    )
    yield refuse(
        "account_closed_while_paying",
        TABLE,
        "UPDATE",
        f"NEW.phase IN ('Closed', 'Archived') AND {still_paid_for('account_id')}",
        "projects are still bound to the account",
    )


def _of_purges() -> Iterator[Guard]:
    # newer rules may postpone a purge, nothing may advance it
    yield refuse(
        "account_purge_date_never_earlier",
        TABLE,
        "UPDATE",
        "OLD.purge_on IS NOT NULL AND (NEW.purge_on IS NULL OR NEW.purge_on < OLD.purge_on)",
        "purge_on cannot become earlier",
    )
    # a purge racing a hold
    yield refuse(
        "account_pseudonymised_while_held",
        TABLE,
        "UPDATE",
        f"OLD.pseudonymised_on IS NULL AND NEW.pseudonymised_on IS NOT NULL AND {_HELD}",
        "a hold of the account is open",
    )
