"""Guards of charges."""

from collections.abc import Iterator

from billing.guards.sql import PURGED
from billing.models import BillingAccount, Charge
from milo.append_only import Guard, fixed_as_said, no_delete, no_replace, refuse

TABLE, ACCOUNT = Charge._meta.db_table, BillingAccount._meta.db_table


def guards() -> Iterator[Guard]:
    """Yield the guards of charges."""
    yield from fixed_as_said(Charge, purge=PURGED)
    yield no_delete("charge_never_deleted", TABLE)
    yield no_replace(
        "charge_never_replaced", TABLE, ["id"], ["uid"], ["organization_id", "name"], ["account_id", "external_id"]
    )
    yield refuse(
        "charge_whole_month",
        TABLE,
        "INSERT",
        "NEW.month IS NOT NULL AND CAST(NEW.month AS TEXT) NOT LIKE '%-01'",
        "a month is its first day",
    )
    yield refuse(
        "charge_one_organization",
        TABLE,
        "INSERT",
        f"NEW.sub_account_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {ACCOUNT} a WHERE a.id = NEW.sub_account_id"
        " AND a.organization_id = NEW.organization_id)",
        "the sub-account belongs to another organization",
    )
