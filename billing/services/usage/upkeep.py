"""Create the partitions of the usage events ahead of their months."""

import structlog
from django.db import connection

from billing.models import usage_partitions

log = structlog.get_logger(__name__)


def make_partitions() -> int:
    """Create the missing partitions of this month (UTC) and the next ones, and return how many.

    A month that already has events in the default partition stays there, which is logged as an error; no event is
    refused.
    """
    made = 0
    for month in usage_partitions.missing(connection):
        if usage_partitions.held_by_default(connection, month):
            log.error("usage_month_in_default_partition", month=f"{month:%Y-%m}")
            continue
        usage_partitions.make(connection, month)
        made += 1
    return made
