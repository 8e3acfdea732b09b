"""Guards of closed months."""

from collections.abc import Iterator

from billing.models import UsageClosing
from milo.append_only import Guard, as_written


def guards() -> Iterator[Guard]:
    """Yield the guards that keep a closed month closed: closings are never changed or deleted."""
    yield from as_written("usage_closing", UsageClosing._meta.db_table, ["id"], ["account_id", "opens_on"])
