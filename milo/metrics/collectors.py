"""What a scrape reads, by collectors that fail apart from each other."""

import time
from collections.abc import Iterator

import structlog
from django.db import DatabaseError, connection
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from milo.metrics.declared import row_gauge

log = structlog.get_logger(__name__)
SUCCESS = row_gauge(
    "milo_scrape_collector_success", "Whether a collector could read its metrics at the last scrape", ("collector",)
)
DURATION = row_gauge(
    "milo_scrape_collector_duration_seconds", "How long a collector took at the last scrape", ("collector",)
)


class Collectors(Collector):
    """Several collectors as one. One that fails costs its own metrics only.

    The log has the reason. Once no database answers, no other collector asks it.
    """

    def __init__(self) -> None:
        self._collectors: dict[str, Collector] = {}

    def register(self, name: str, collector: Collector) -> None:
        """Add a collector. `name` is its label in the metrics of scrapes."""
        self._collectors[name] = collector

    def collect(self) -> Iterator[Metric]:
        success: dict[tuple[str, ...], float] = {}
        duration: dict[tuple[str, ...], float] = {}
        away = False
        for name, collector in self._collectors.items():
            began, success[name,] = time.monotonic(), 0
            if away:
                continue
            try:
                yield from list(collector.collect())
                success[name,] = 1
            except DatabaseError as error:
                log.warning("metrics_not_read", collector=name, error=error)
                away = _away(error)
            except Exception:
                log.exception("metrics_not_read", collector=name)
            duration[name,] = time.monotonic() - began
        yield SUCCESS.of(success)
        yield DURATION.of(duration)


def _away(error: DatabaseError) -> bool:
    """Return whether no server has answered, as opposed to one that refused a query or ended it after its time."""
    return connection.vendor == "postgresql" and getattr(error.__cause__, "sqlstate", None) is None


LOCK_WAITS = row_gauge("milo_database_lock_waits", "Sessions of PostgreSQL that wait for a lock")
LOCK_WAIT_SECONDS = row_gauge(
    "milo_database_longest_lock_wait_seconds", "For how long the session that waits longest has waited for its lock"
)
TRANSACTION_SECONDS = row_gauge(
    "milo_database_longest_transaction_seconds",
    "Age of the oldest open transaction of the application's role; of all roles if it may read their statistics"
    " (`GRANT pg_read_all_stats`)",
)
CONNECTIONS = row_gauge(
    "milo_database_connections",
    "Connections to the database of PostgreSQL by their state; `unknown` for those of roles whose state is hidden",
    ("state",),
)
CONNECTIONS_LIMIT = row_gauge("milo_database_connections_limit", "max_connections of PostgreSQL")
_SESSIONS = """
    SELECT coalesce(state, 'unknown'), count(*),
        coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0), current_setting('max_connections')::int
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() GROUP BY 1"""
# locks of every role are visible, as opposed to what their sessions do
_LOCK_WAITS = """
    SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0)
    FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.datname = current_database()"""


class DatabaseCollector(Collector):
    """The sessions of PostgreSQL and their locks. Of SQLite it has nothing."""

    def collect(self) -> Iterator[Metric]:
        if connection.vendor != "postgresql":
            return
        with connection.cursor() as cursor:
            cursor.execute(_SESSIONS)
            sessions = cursor.fetchall()
            cursor.execute(_LOCK_WAITS)
            waits, longest = cursor.fetchone()
        yield CONNECTIONS.of({(state,): count for state, count, _age, _limit in sessions})
        yield TRANSACTION_SECONDS.of(float(max((age for _state, _count, age, _limit in sessions), default=0)))
        if sessions:
            yield CONNECTIONS_LIMIT.of(sessions[0][3])
        yield LOCK_WAITS.of(waits)
        yield LOCK_WAIT_SECONDS.of(float(longest))
