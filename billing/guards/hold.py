"""Guards of holds."""

from collections.abc import Iterator

from billing.guards.sql import PURGED
from billing.models import Hold
from milo.append_only import Guard, fixed_as_said, no_delete, no_replace

TABLE = Hold._meta.db_table


def guards() -> Iterator[Guard]:
    """Yield the guards of holds."""
    yield from fixed_as_said(Hold, purge=PURGED)
    yield no_delete("hold_never_deleted", TABLE)
    yield no_replace("hold_never_replaced", TABLE, ["id"], ["uid"])
