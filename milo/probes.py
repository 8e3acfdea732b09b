"""Answers probes and metrics before Django does: whatever the threads do, whatever the database, to any Host."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qs

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpResponse, HttpResponseNotAllowed

from milo import health, readiness
from milo.readiness import Check, Result
from milo.scraping import Scraper
from milo.web.measuring import note_route

WITHIN_SECONDS = 0.9
"""A check that takes longer has failed; the probe is answered within a second."""
KEPT_WITHIN_SECONDS = 15.0
"""The bound of a check whose result is kept. It goes on behind the probe that asked, and a later one has its result."""
CONNECT_SECONDS = 2
"""The least that libpq knows. A thread that connects longer holds up later probes of the database, and nothing else."""
METHODS = ("GET", "HEAD")
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class Probes:
    """ASGI middleware for /livez, /readyz, its old name /healthz, and /metrics.

    Other methods than GET and HEAD are answered with 405, and paths below these with 404.
    """

    def __init__(self, application: Application) -> None:
        self.application = application
        self._readiness = Readiness()
        self._scraper = Scraper(own_connection)
        self._answers: dict[str, Callable[[bool], Awaitable[HttpResponse]]] = {
            "livez": self._livez,
            "readyz": self._readyz,
            "healthz": self._readyz,
            "metrics": self._metrics,
        }

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        probe, below, _rest = scope.get("path", "").removeprefix("/").partition("/")
        answer = self._answers.get(probe) if scope["type"] == "http" else None
        if answer is None:
            await self.application(scope, receive, send)
            return
        if below:
            # as Django would answer, which does not know every Host
            response = HttpResponse("not found\n", content_type="text/plain", status=404)
        else:
            note_route(scope, probe)
            if scope["method"] in METHODS:
                query = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
                response = await answer("verbose" in query)
            else:
                response = HttpResponseNotAllowed(METHODS, "method not allowed\n", content_type="text/plain")
        body = response.content
        headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
        headers += [(b"content-length", str(len(body)).encode()), (b"x-content-type-options", b"nosniff")]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _livez(self, verbose: bool) -> HttpResponse:
        return health.alive(verbose=verbose)

    async def _readyz(self, verbose: bool) -> HttpResponse:
        return health.ready(await self._readiness.results(), verbose=verbose)

    async def _metrics(self, verbose: bool) -> HttpResponse:
        return await self._scraper.response()


class Readiness:
    """Runs the checks in threads of their own: the quick ones of the database in one, each other check in another."""

    def __init__(self) -> None:
        of_database_first = sorted(readiness.all_checks(), key=lambda each: not each.asks_database)
        self._order = [each.name for each in of_database_first]
        quick = [each for each in readiness.all_checks() if each.asks_database and not each.kept_seconds]
        others = [each for each in readiness.all_checks() if each not in quick]
        self._groups = [_Group(quick, WITHIN_SECONDS)] + [
            _Group([each], KEPT_WITHIN_SECONDS if each.kept_seconds else WITHIN_SECONDS) for each in others
        ]

    async def results(self) -> list[Result]:
        """Return the result of each check within a second. Probes that come meanwhile share one run."""
        running = [asyncio.wrap_future(group.run()) for group in self._groups]
        await asyncio.wait(running, timeout=WITHIN_SECONDS)
        found = [result for group in self._groups for result in group.results()]
        return sorted(found, key=lambda result: self._order.index(result.name))


class _Group:
    def __init__(self, checks: Sequence[Check], seconds: float) -> None:
        self._checks, self._seconds = checks, seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="probe")
        self._running: Future[None] | None = None
        self._found: list[Result] = []
        self._passed: dict[str, float] = {}

    def run(self) -> "Future[None]":
        if self._running is None or self._running.done():
            self._found = []
            self._running = self._thread.submit(self._run, self._found)
        return self._running

    def results(self) -> list[Result]:
        found = list(self._found)
        return found + [self._unfinished(each) for each in self._checks[len(found) :]]

    def _unfinished(self, check: Check) -> Result:
        known = check.kept_seconds and check.name in self._passed
        return Result(check.name, "" if known else f"no answer within {WITHIN_SECONDS} s", check.degrades)

    def _run(self, found: list[Result]) -> None:
        connection = own_connection(self._seconds)
        try:
            for result in readiness.results(self._checks, connection, self._passed):
                found.append(result)
        finally:
            connection.close()


def own_connection(seconds: float = WITHIN_SECONDS) -> BaseDatabaseWrapper:
    """Return a connection, not yet opened, that waits for nothing longer than `seconds`, and is of no pool."""
    common = connections[DEFAULT_DB_ALIAS]
    config = deepcopy(common.settings_dict)
    options = config["OPTIONS"]
    if common.vendor == "postgresql":
        options.pop("pool", None)
        bound = round(seconds * 1000)
        options["connect_timeout"] = CONNECT_SECONDS
        options["options"] = (
            f"{options.get('options', '')} -c statement_timeout={bound} -c lock_timeout={bound}".strip()
        )
    else:
        options["timeout"] = seconds
    return type(common)(config, "probe")
