"""Guards of notices: content, recipient and outcomes are evidence that people were notified."""

from collections.abc import Iterator

from billing.guards.sql import PURGED
from billing.models import Notice, NoticeOutcome
from milo.append_only import Guard, as_written, fixed_as_said, no_delete, no_replace

TABLE = Notice._meta.db_table
# an address of its own for each purged row: cause and recipient are unique
_LEFT = {"recipient": "'purged-' || CAST(OLD.id AS TEXT) || '@milo.invalid'"}


def guards() -> Iterator[Guard]:
    """Yield the guards of notices and of their outcomes."""
    yield from fixed_as_said(Notice, purge=PURGED, left=_LEFT)
    yield no_delete("notice_never_deleted", TABLE)
    yield no_replace("notice_never_replaced", TABLE, ["id"], ["uid"])
    yield from as_written("notice_outcome", NoticeOutcome._meta.db_table, ["id"])
