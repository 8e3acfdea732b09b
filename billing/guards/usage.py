"""Guards of what was reported: meters, intakes, and their events with the keys that tell them apart."""

from collections.abc import Iterator

from billing.models import UsageEvent, UsageIntake, UsageKey, UsageMeter
from milo.append_only import Guard, as_written


def guards() -> Iterator[Guard]:
    """Yield the guards that keep what was reported as it was written."""
    yield from as_written("usage_meter", UsageMeter._meta.db_table, ["id"], ["service", "name"])
    yield from as_written("usage_intake", UsageIntake._meta.db_table, ["id"])
    yield from as_written("usage_key", UsageKey._meta.db_table, ["key"])
    yield from as_written("usage_event", UsageEvent._meta.db_table, ["project_id", "time", "key"], partitioned=True)
