"""Measures requests and the pool of connections of a process that serves; docs/metrics.md."""

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

from django.db import DEFAULT_DB_ALIAS

from milo.metrics import counted
from milo.postgresql.base import DatabaseWrapper

ROUTE_KEY = "milo.route"
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


def note_route(scope: Mapping[str, Any], route: str) -> None:
    """Set the route (a URL pattern, not a path) by which a request is counted."""
    scope.get(ROUTE_KEY, {})["route"] = route


class Measured:
    """Outermost ASGI middleware: counts each request when its answer begins. A watch goes on after that."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        request = _Request(scope["method"], send)
        counted.http_running.inc()
        try:
            await self.application({**scope, ROUTE_KEY: request.route}, receive, request.send)
        finally:
            # a client that left before its answer, too
            request.end()


class _Request:
    def __init__(self, method: str, send: Send) -> None:
        self._send = send
        self._began = perf_counter()
        self._method = method if method in counted.METHODS else "OTHER"
        self._ended = False
        self.route: dict[str, str] = {}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            route = self.route.get("route", counted.UNROUTED)
            counted.http_requests.labels(self._method, route, message["status"]).inc()
            counted.http_seconds.labels(self._method, route).observe(perf_counter() - self._began)
            self.end()
        await self._send(message)

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            counted.http_running.dec()


class PoolMeter:
    """Takes over the statistics of psycopg's pool, once a process. Its sums are counted by their growth.

    https://www.psycopg.org/psycopg3/docs/advanced/pool.html#pool-stats
    """

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def measure(self) -> None:
        """Set the gauges, and count what has happened since the last call. Without a pool it does nothing."""
        pool = DatabaseWrapper._connection_pools.get(DEFAULT_DB_ALIAS)
        if pool is None:
            return
        now = pool.get_stats()
        idle = now.get("pool_available", 0)
        counted.pool_connections.labels("idle").set(idle)
        counted.pool_connections.labels("in_use").set(now.get("pool_size", 0) - idle)
        counted.pool_waiting.set(now.get("requests_waiting", 0))
        counted.pool_seconds.inc(self._growth(now, "requests_wait_ms") / 1000)
        counted.pool_errors.inc(self._growth(now, "requests_errors"))
        self._last = now

    def _growth(self, now: dict[str, int], name: str) -> int:
        # a pool that was made anew begins at zero
        return max(0, now.get(name, 0) - self._last.get(name, 0))


pool_meter = PoolMeter()
