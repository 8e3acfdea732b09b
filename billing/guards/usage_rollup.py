"""Guards of sums of usage: the figures of a closed month never change, not by a rebuild either."""

from collections.abc import Iterator

from billing.models import UsageRollup
from milo.append_only import Guard, refuse

TABLE = UsageRollup._meta.db_table
_EVENTS = {"INSERT": ("added", "NEW"), "UPDATE": ("changed", "OLD", "NEW"), "DELETE": ("deleted", "OLD")}


def guards() -> Iterator[Guard]:
    """Yield the guards that refuse to add, change or delete a figure of a closed month."""
    for event, (word, *rows) in _EVENTS.items():
        closed = " OR ".join(map(_closed, rows))
        yield refuse(f"usage_closed_figure_{word}", TABLE, event, closed, "the month is closed")


def _closed(row: str) -> str:
    # the month of the bill is that of who is payer of record in the month of the usage
    payer = (
        f"SELECT p.payer_id FROM billing_accountpayer p WHERE p.account_id = {row}.account_id"
        f" AND p.from_month <= {row}.starts_on AND (p.until_month IS NULL OR p.until_month > {row}.starts_on)"
    )
    return (
        "EXISTS (SELECT 1 FROM billing_usageclosing c"
        f" WHERE c.account_id = COALESCE(({payer}), {row}.account_id) AND c.opens_on > {row}.billed_in)"
    )
