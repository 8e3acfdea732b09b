"""Find events whose corrections take them below zero, which no meter can have counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from billing.services.usage import sums
from billing.services.usage.recounts import Chunk, bounds
from billing.usage.quantities import EXACT


@dataclass(frozen=True, slots=True)
class Overcorrected:
    """An event, its reported quantity, and the sum of its corrections and of their corrections in turn."""

    source: str
    event_id: str
    reported: Decimal
    corrections: Decimal

    @property
    def total(self) -> Decimal:
        """Return the quantity after all corrections."""
        return EXACT.add(self.reported, self.corrections)


def overcorrected(chunk: Chunk) -> Iterator[Overcorrected]:
    """Yield the events of a chunk whose total is below zero.

    A correction has project and time of the event that it corrects, so that the chunk holds both.
    """
    where, parameters = bounds(chunk)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
WITH RECURSIVE correction AS MATERIALIZED (
    SELECT v.key, v.corrects, v.quantity FROM {sums.EVENT} v WHERE {where} AND v.corrects IS NOT NULL
), about AS (
    SELECT c.corrects AS event, c.key, c.quantity FROM correction c
    UNION SELECT c.corrects, a.key, a.quantity FROM about a JOIN correction c ON c.key = a.event
)
SELECT v.source, v.event_id, v.quantity, {sums.add_up()}(a.quantity)
FROM about a JOIN {sums.EVENT} v ON v.key = a.event
WHERE {where} AND v.corrects IS NULL
GROUP BY v.key, v.source, v.event_id, v.quantity ORDER BY v.source, v.event_id""",
            [*parameters, *parameters],
        )
        for source, event_id, reported, corrections in cursor.fetchall():
            event = Overcorrected(source, event_id, Decimal(reported), Decimal(corrections))
            if event.total < 0:
                yield event
