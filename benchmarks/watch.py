"""Watches: what idle ones cost, and how soon a change has reached every one of many."""

import asyncio
import resource
import statistics
import time
from contextlib import AsyncExitStack, closing

from benchmarks.data import ORGANIZATION, PLATFORM
from benchmarks.report import Report
from benchmarks.servers import Failed
from benchmarks.stage import Stage
from billing.models import BillingAccount
from billing.services.accounts import AccountSpec, revise
from milo.kube.metadata import Metadata
from milo.kube.store.changes import current_version
from milo.kube.store.revisions import in_thread

WATCHED = "account-0"
PATH = f"/apis/billing.milo.io/v1alpha1/namespaces/{ORGANIZATION}/billingaccounts?watch=true&resourceVersion="
CONNECTING_AT_ONCE = 20


def run(stage: Stage) -> Report:
    idle, many, changes, seconds = (20, 20, 2, 1.0) if stage.rounds == 2 else (300, 1000, 10, 20.0)
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # a connection each, and the usual limit of open files is 1,024
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return asyncio.run(_measure(stage, idle=idle, many=many, changes=changes, seconds=seconds))


async def _measure(stage: Stage, *, idle: int, many: int, changes: int, seconds: float) -> Report:
    server, account = stage.milo, await in_thread(_account)
    async with AsyncExitStack() as connected:
        watchers = await _watch(stage, idle, connected)
        # so that it does not count what connecting them cost
        await asyncio.sleep(seconds / 10)
        used, begun = server.cpu_seconds(), time.perf_counter()
        await asyncio.sleep(seconds)
        load = (server.cpu_seconds() - used) / (time.perf_counter() - begun)
        watchers += await _watch(stage, many - idle, connected)
        # the first does not count: the server is still busy with those that have just come
        await _fan_out(account, 0, watchers)
        used = server.cpu_seconds()
        delays = [await _fan_out(account, number, watchers) for number in range(1, changes + 1)]
        used = server.cpu_seconds() - used
    facts = {
        "idle watchers": idle,
        "processor of the idle watchers, % of a core": round(load * 100, 1),
        "watchers of one change": many,
        "ms until half of them had it": _median_ms([delay[many // 2] for delay in delays]),
        "ms until all of them had it": _median_ms([delay[-1] for delay in delays]),
        "ms until all of them had it, worst": round(max(delay[-1] for delay in delays) * 1000, 1),
        "server CPU ms per change": round(used / changes * 1000, 1),
    }
    return Report("Watch the accounts of an organization", facts=facts)


async def _fan_out(account: BillingAccount, number: int, watchers: list[asyncio.StreamReader]) -> list[float]:
    """Seconds from the commit of a change to its arrival at each watcher, ascending."""
    reading = asyncio.gather(*(_next_event(watcher) for watcher in watchers))
    committed = await in_thread(_change, account, number)
    return sorted(arrived - committed for arrived in await reading)


def _median_ms(seconds: list[float]) -> float:
    return round(statistics.median(seconds) * 1000, 1)


async def _watch(stage: Stage, count: int, connected: AsyncExitStack) -> list[asyncio.StreamReader]:
    """`count` more watches from now on, each on a connection of its own."""
    version, turn = await in_thread(current_version), asyncio.Semaphore(CONNECTING_AT_ONCE)
    request = f"GET {PATH}{version} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {stage.data.admin}\r\n\r\n"

    async def connect() -> asyncio.StreamReader:
        async with turn:
            reader, writer = await asyncio.open_connection("127.0.0.1", stage.milo.port)
            connected.enter_context(closing(writer))
            writer.write(request.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise Failed(f"{PATH}: {head.decode(errors='replace')}")
            return reader

    return list(await asyncio.gather(*(connect() for _number in range(count))))


async def _next_event(watcher: asyncio.StreamReader) -> float:
    """The moment at which the next event arrives."""
    while not (line := await watcher.readline()).startswith(b'{"type":"MODIFIED"'):
        if not line or b'"ERROR"' in line:
            raise Failed(f"a watch ended: {line[:500].decode(errors='replace')}")
    return time.perf_counter()


def _account() -> BillingAccount:
    return BillingAccount.objects.get(organization__name=ORGANIZATION, name=WATCHED)


def _change(account: BillingAccount, number: int) -> float:
    """Relabel the account; the moment of the commit."""
    revise(account.pk, AccountSpec.of(account), Metadata({"change": str(number)}, {}), actor=PLATFORM)
    return time.perf_counter()
