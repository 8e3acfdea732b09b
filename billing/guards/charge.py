"""Guards of charges."""

from collections.abc import Iterator

from billing.guards.sql import PURGED
from billing.models import Charge
from milo.append_only import Guard, fixed_as_said, no_delete, no_replace

TABLE = Charge._meta.db_table


def guards() -> Iterator[Guard]:
    """Yield the guards of charges."""
    yield from fixed_as_said(Charge, purge=PURGED)
    yield no_delete("charge_never_deleted", TABLE)
    yield no_replace(
        "charge_never_replaced", TABLE, ["id"], ["uid"], ["organization_id", "name"], ["account_id", "external_id"]
    )
