"""Guards of notices: what was owed to whom, and when it was delivered, is proof that people were told."""

from collections.abc import Iterator

from billing.guards.sql import PURGED
from billing.models import Notice, NoticeOutcome
from milo.append_only import Guard, as_written, fixed_as_said, no_delete, no_replace

TABLE = Notice._meta.db_table
# one address a row, or two receipts of one cause would be the same
_LEFT = {"recipient": "'purged-' || CAST(OLD.id AS TEXT) || '@milo.invalid'"}


def guards() -> Iterator[Guard]:
    """Yield what the database refuses of notices and of what became of them."""
    yield from fixed_as_said(Notice, purge=PURGED, left=_LEFT)
    yield no_delete("notice_never_deleted", TABLE)
    yield no_replace("notice_never_replaced", TABLE, ["id"], ["uid"])
    yield from as_written("notice_outcome", NoticeOutcome._meta.db_table, ["id"])
