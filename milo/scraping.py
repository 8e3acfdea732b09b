"""Answers a scrape of Prometheus: what processes count, and what is read from the database, bounded in time."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpResponse
from prometheus_client.core import Metric

from milo import health
from milo.kube.store.revisions import in_thread

KEPT_SECONDS = 10.0
"""Metrics of the database are read again once they are so old."""
WITHIN_SECONDS = 2.0
"""How long a scrape waits for them, and how long one statement may take."""
STALE_SECONDS = 60.0
"""If the database answers slowly, metrics are shown until they are so old."""


class Scraper:
    """Reads the metrics of the database in a thread and by a connection of its own.

    So neither a slow database nor a lock holds up a scrape, and scrapes take nothing from requests. `connect` returns
    a connection that waits for nothing longer than the seconds that it is called with.
    """

    def __init__(self, connect: Callable[[float], BaseDatabaseWrapper]) -> None:
        self._connect = connect
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scrape")
        self._running: Future[None] | None = None
        self._read: Sequence[Metric] = ()
        self._read_at = float("-inf")

    async def response(self) -> HttpResponse:
        """Return the answer of /metrics within some 2 seconds."""
        if self._age >= KEPT_SECONDS:
            if self._running is None or self._running.done():
                self._running = self._thread.submit(self._refresh)
            await asyncio.wait([asyncio.wrap_future(self._running)], timeout=WITHIN_SECONDS)
        read = self._read if self._age < STALE_SECONDS else ()
        return await in_thread(health.all_metrics, read)

    @property
    def _age(self) -> float:
        return monotonic() - self._read_at

    def _refresh(self) -> None:
        connection = self._connect(WITHIN_SECONDS)
        # the collectors' queries use the connection of their thread
        connections[DEFAULT_DB_ALIAS] = connection
        try:
            self._read, self._read_at = health.metrics_of_database(), monotonic()
        finally:
            connection.close()
            del connections[DEFAULT_DB_ALIAS]
