"""Guards of locks on payers: a locked project has a payer, which stays."""

from collections.abc import Iterator

from billing.guards.sql import payer_locked
from billing.models import PayerLock
from milo.append_only import Guard, fixed_as_said, no_delete, no_replace, refuse

TABLE = PayerLock._meta.db_table
_PAID_FOR = (
    "EXISTS (SELECT 1 FROM billing_billingaccountbinding b WHERE b.project_id = NEW.project_id AND b.phase = 'Active')"
)


def guards() -> Iterator[Guard]:
    """Yield the guards of locks; those of bindings refuse what a lock forbids."""
    yield from fixed_as_said(PayerLock)
    # SQLite's INSERT OR REPLACE would lift an open lock, and no trigger of DELETE would see it
    yield refuse(
        "payer_lock_not_repeated", TABLE, "INSERT", payer_locked("NEW.project_id"), "the payer is locked already"
    )
    yield refuse("payer_lock_of_paid", TABLE, "INSERT", f"NOT {_PAID_FOR}", "nobody pays for the project")
    yield no_delete("payer_lock_never_deleted", TABLE)
    yield no_replace("payer_lock_never_replaced", TABLE, ["id"], ["uid"])
