"""A client of watches without HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import orjson

from billing.api.kinds import BillingAccountKind
from milo.kube.kinds import Kind
from milo.kube.store.revisions import in_thread
from milo.kube.store.selectors import parse
from milo.kube.watch import broadcaster
from milo.kube.watch.streams import Watch

T = TypeVar("T")
Event = tuple[str, str]
# what comes at once elsewhere takes seconds on a busy machine; seconds of a test that fails
PATIENCE = 20


def a_watch(kind: Kind | None = None, labels: str = "", fields: str = "", **options: Any) -> Watch:
    """Return a watch of all objects of `kind` (default: accounts). `options` override arguments of `Watch`."""
    kind = kind or BillingAccountKind()
    arguments: dict[str, Any] = {"scope": lambda: None, "render": lambda manifest, first: manifest} | options
    return Watch(kind, arguments.pop("rows", kind.queryset()), parse(kind, labels, fields), **arguments)


class Client:
    """Reads the lines of one watch."""

    def __init__(self, watch: Watch) -> None:
        self.lines = watch.lines()

    async def next(self, within: float = PATIENCE) -> dict[str, Any]:
        """Return the next line. Raises `TimeoutError` if none comes, `StopAsyncIteration` at the end."""
        async with asyncio.timeout(within):
            line: dict[str, Any] = orjson.loads(await anext(self.lines))
            return line

    async def take(self, count: int, within: float = PATIENCE) -> list[Event]:
        """Return the next lines as (type, name of the object)."""
        lines = [await self.next(within) for _ in range(count)]
        return [(line["type"], line["object"]["metadata"].get("name", "")) for line in lines]

    async def next_after(self, service: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Call `service` while the watch waits for changes, and return the next line."""
        waiting = asyncio.ensure_future(self.next())
        await asyncio.sleep(0.3)
        await act(service, *args, **kwargs)
        return await waiting

    async def rest(self) -> list[dict[str, Any]]:
        """Return all lines up to the end."""
        async with asyncio.timeout(PATIENCE):
            return [orjson.loads(line) async for line in self.lines]

    async def nothing(self) -> None:
        """Assert that no line comes within a second, more than a change takes. Ends the watch."""
        try:
            line = await self.next(within=1)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected {line}")


@asynccontextmanager
async def watching(watch: Watch) -> AsyncIterator[Client]:
    client = Client(watch)
    try:
        yield client
    finally:
        await client.lines.aclose()


def run(scenario: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function in a new event loop, and assert that no poller is left over."""

    async def and_look() -> T:
        result = await scenario()
        await until(lambda: asyncio.get_running_loop() not in broadcaster._feeds)
        return result

    return asyncio.run(and_look())


async def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def act(service: Callable[..., T], *args: Any, **kwargs: Any) -> Awaitable[T]:
    """Call a service in a thread, as a request would."""
    return in_thread(service, *args, **kwargs)
