"""Bounds what one object and one tenant may take of a process, as Kubernetes' API priority and fairness does.

Requests for a row that is locked would hold all threads otherwise, and nobody else would be answered.
https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
import structlog
from django.utils.translation import gettext as _

from milo.errors import Busy
from milo.metrics import counted

WAIT_SECONDS = 15.0
"""How long a request waits for its turn."""
BODY_LOOKED_AT = 64 * 1024
"""In larger bodies no references are looked for."""
log = structlog.get_logger(__name__)


class Flow(NamedTuple):
    """Requests that share a bound: those that change one object, or one tenant's, or all of one tenant, or all."""

    kind: str
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bound:
    """Of a flow, how many requests are worked on at once, and how many more wait."""

    running: int
    waiting: int


def bounds(threads: int, waiting: int) -> dict[str, Bound]:
    """Return the bounds by kind of flow, each a part of the next, for a process of so many threads."""
    return {
        "object": Bound(max(1, threads // 4), waiting),
        "writes": Bound(max(1, threads // 2), 4 * waiting),
        "tenant": Bound(max(1, threads * 3 // 4), 4 * waiting),
        "all": Bound(threads, 20 * waiting),
    }


class Admission:
    """Has requests wait for their turn without a thread, in the order in which they came. For one event loop."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._bounds = bounds(threads, waiting)
        self._running: Counter[Flow] = Counter()
        self._waiting: dict[asyncio.Future[None], tuple[Flow, ...]] = {}
        self._queued: Counter[Flow] = Counter()

    @asynccontextmanager
    async def turn(self, flows: tuple[Flow, ...]) -> AsyncIterator[None]:
        """Wait for the turn of a request of these flows. Raises `Busy` where too many wait, or it takes too long."""
        if self._is_free(flows):
            self._running.update(flows)
        else:
            await self._wait(flows)
        try:
            yield
        finally:
            self._drop(self._running, flows)
            self._admit()

    def _is_free(self, flows: tuple[Flow, ...]) -> bool:
        return all(self._running[flow] < self._bounds[flow.kind].running for flow in flows)

    async def _wait(self, flows: tuple[Flow, ...]) -> None:
        for flow in flows:
            if self._queued[flow] >= self._bounds[flow.kind].waiting:
                raise _busy(flow)
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = flows
        self._queued.update(flows)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # admitted at the moment at which the task was cancelled or timed out
                self._drop(self._running, flows)
                self._admit()
            if isinstance(error, TimeoutError):
                raise _busy(flows[0]) from None
            raise
        finally:
            self._drop(self._queued, flows)
            self._waiting.pop(turn, None)

    def _admit(self) -> None:
        """Give their turn to those that wait and whose flows have room."""
        for turn, flows in list(self._waiting.items()):
            if not turn.done() and self._is_free(flows):
                self._running.update(flows)
                turn.set_result(None)

    @staticmethod
    def _drop(counter: Counter[Flow], flows: tuple[Flow, ...]) -> None:
        counter.subtract(flows)
        for flow in flows:
            if not counter[flow]:
                del counter[flow]


def _busy(flow: Flow) -> Busy:
    log.warning("request_shed", flow=flow.kind)
    counted.http_shed.labels(flow.kind).inc()
    return Busy(_("too many requests wait for the same; please try again"))


def flows(scope: Mapping[str, Any], body: Any, contended: Mapping[str, str]) -> tuple[Flow, ...]:
    """Return the flows of a request, the narrowest first; `body` is a file, which is left at its beginning.

    The tenant is the namespace in the path, else the credential, else the address. `contended` names, by the plural of
    a kind, the field of its spec that refers to the object which a new one changes.
    """
    parts = scope["path"].strip("/").split("/")
    namespace = parts[parts.index("namespaces") + 1] if "namespaces" in parts[:-1] else ""
    tenant = ("namespace", namespace) if namespace else _sender(scope)
    shared = (Flow("tenant", tenant), Flow("all"))
    if scope["method"] in ("GET", "HEAD"):
        return shared
    changed = _changed(parts, scope["method"], body, contended)
    return (*(Flow("object", (namespace, *key)) for key in changed), Flow("writes", tenant), *shared)


def _sender(scope: Mapping[str, Any]) -> tuple[str, ...]:
    for wanted in (b"authorization", b"cookie"):
        for name, value in scope["headers"]:
            if name == wanted:
                # nothing keeps the secret itself
                return "credential", str(hash(value))
    return "address", str((scope.get("client") or ("",))[0])


def _changed(parts: list[str], method: str, body: Any, contended: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (plural, name) of the object that a request to the API changes: the one in its path, or in its manifest."""
    place = parts[3:] if parts[0] == "apis" else parts[2:] if parts[0] == "api" else []
    if len(place) > 2 and place[0] == "namespaces":
        place = place[2:]
    if len(place) > 1:
        yield place[0], place[1]
    elif method == "POST" and place and place[0] in contended:
        yield from _referred(body, contended[place[0]])


def _referred(body: Any, field: str) -> Iterator[tuple[str, str]]:
    """Yield (plural, name) of the object to which a manifest in JSON refers: an ownerRef: {name: x} is owners, x."""
    text = body.read(BODY_LOOKED_AT + 1)
    body.seek(0)
    if not text.startswith(b"{") or len(text) > BODY_LOOKED_AT:
        return
    try:
        spec = orjson.loads(text).get("spec")
    except orjson.JSONDecodeError:
        return
    reference = spec.get(field) if isinstance(spec, dict) else None
    if isinstance(reference, dict) and isinstance(reference.get("name"), str):
        yield f"{field.removesuffix('Ref').lower()}s", reference["name"]
