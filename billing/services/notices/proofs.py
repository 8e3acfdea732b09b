"""Compare the state of each notice with its newest outcome; outcomes are sealed, the state of a notice is not."""

from collections.abc import Iterator

from django.db import connection

from billing.models import Notice, NoticeOutcome
from milo.ledger.live import Difference

NOTICE, OUTCOME = Notice._meta.db_table, NoticeOutcome._meta.db_table
_DIFFERENT = f"""
    SELECT n.id FROM {NOTICE} n
        LEFT JOIN (SELECT notice_id, max(id) AS id FROM {OUTCOME} GROUP BY notice_id) newest ON newest.notice_id = n.id
        LEFT JOIN {OUTCOME} o ON o.id = newest.id
    WHERE n.phase <> COALESCE(o.phase, 'Pending') OR (n.phase = 'Delivered' AND n.delivered_at IS DISTINCT FROM o.at)
    ORDER BY n.id LIMIT 1"""


def differences() -> Iterator[Difference]:
    """Yield the first notice whose state differs from its newest outcome, if any."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENT)
        if row := cursor.fetchone():
            yield Difference(NOTICE, row[0], "is not what its newest outcome says")
