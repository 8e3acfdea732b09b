"""Partitions of the usage events, made ahead of their months."""

import structlog
from django.db import connection

from billing.models import usage_partitions

log = structlog.get_logger(__name__)


def make_partitions() -> int:
    """Make the partitions of this month (UTC) and the next ones that are missing yet; returns how many.

    A month whose events went to the default partition meanwhile stays there; nothing is refused for it.
    """
    made = 0
    for month in usage_partitions.missing(connection):
        if usage_partitions.held_by_default(connection, month):
            log.error("usage_month_in_default_partition", month=f"{month:%Y-%m}")
            continue
        usage_partitions.make(connection, month)
        made += 1
    return made
