"""The live end of the change log: one poller per event loop reads it for all watchers of the process."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import structlog
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connections
from django.db.models import OuterRef, Subquery

from milo.kube.models import Change

POLL_SECONDS = 0.2
RETRY_SECONDS = 1.0
PAGE = 500
QUEUE_LIMIT = 2 * PAGE
"""Revisions that a watcher may fall behind before it is ended; its client then watches again from where it was."""
GRACE_SECONDS = 60.0
"""How long an ended watcher may take to fetch what waits for it, before its task is cancelled."""
log = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that asks the database; its connection goes back to the pool at once, not with the thread."""

    def call() -> T:
        try:
            return function(*args, **kwargs)
        finally:
            connections.close_all()

    return await sync_to_async(call, thread_sensitive=False)()


@dataclass(frozen=True, slots=True)
class Revision:
    """A change as watchers need it: the object as it is from `number` on, and as it was before (None: it was not)."""

    number: int
    resource: str
    organization: str
    uid: UUID
    deleted: bool
    manifest: dict[str, Any]
    previous: dict[str, Any] | None


def read(after: int, **of: Any) -> list[Revision]:
    """The next revisions after the number `after`, at most `PAGE`, in commit order; `of` narrows them by columns."""
    before = Change.objects.filter(uid=OuterRef("uid"), resource_version__lt=OuterRef("resource_version"))
    previous = before.order_by("-resource_version").values("manifest")[:1]
    changes = Change.objects.filter(resource_version__gt=after, **of).annotate(previous=Subquery(previous))
    columns = ("resource_version", "resource", "organization", "uid", "type", "manifest", "previous")
    return [
        Revision(number, resource, organization, uid, kind == Change.Type.DELETED, manifest, previous)
        for number, resource, organization, uid, kind, manifest, previous in changes.order_by(
            "resource_version"
        ).values_list(*columns)[:PAGE]
    ]


class Subscription:
    """What one watcher is fed: every revision of `resource` after the number `since`, until it is `ended`."""

    def __init__(self, feed: "Feed", resource: str) -> None:
        self.feed, self.resource, self.since = feed, resource, feed.position
        self.ended = False
        self._queue: asyncio.Queue[Revision | None] = asyncio.Queue(QUEUE_LIMIT)
        self._task = asyncio.current_task()
        self._grace: asyncio.TimerHandle | None = None

    def put(self, revision: Revision) -> None:
        """Hand over a revision, or end the subscription where too many wait already."""
        if self._queue.full():
            self.end()
        else:
            self._queue.put_nowait(revision)

    def end(self) -> None:
        """Feed it no more. What waits can be fetched still, for a while."""
        self.feed.remove(self)
        self.ended = True
        if not self._queue.full():
            self._queue.put_nowait(None)  # wakes a watcher that waits
        if self._task:
            self._grace = self.feed.loop.call_later(GRACE_SECONDS, self._task.cancel)

    async def get(self, until: float) -> Revision | None:
        """The next revision; None at the loop time `until`, and where it has ended and nothing waits any more."""
        if self._queue.empty():
            if self.ended:
                return None
            try:
                async with asyncio.timeout_at(until):
                    return await self._queue.get()
            except TimeoutError:
                return None
        return self._queue.get_nowait()

    @property
    def drained(self) -> bool:
        """Whether it has ended and nothing waits any more."""
        return self.ended and self._queue.empty()

    def position(self) -> int:
        """The number up to which all has been fetched; 0 where something waits still, or was missed."""
        return self.feed.position if self._queue.empty() and not self.ended else 0

    def close(self) -> None:
        """The watcher is gone."""
        self.feed.remove(self)
        if self._grace:
            self._grace.cancel()


class Feed:
    """Reads the log after `position` while there are subscriptions, once for all of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, position: int) -> None:
        self.loop, self.position = loop, position
        self._subscriptions: dict[str, set[Subscription]] = defaultdict(set)
        # it outlives the request that started it, and so does not inherit what that has bound to its context
        self._task = loop.create_task(self._run(), context=Context())

    def add(self, resource: str) -> Subscription:
        subscription = Subscription(self, resource)
        self._subscriptions[resource].add(subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.resource].discard(subscription)

    async def _run(self) -> None:
        try:
            while any(self._subscriptions.values()):
                await self._poll()
        finally:
            # whatever stopped it, no watcher may wait for a poller that is gone
            del _feeds[self.loop]
            for subscription in set().union(*self._subscriptions.values()):
                subscription.end()

    async def _poll(self) -> None:
        try:
            found = await in_thread(read, self.position)
        except DatabaseError as error:
            log.warning("watch_poll_failed", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)
            return
        for revision in found:
            for subscription in tuple(self._subscriptions[revision.resource]):
                subscription.put(revision)
            self.position = revision.number
        if len(found) < PAGE:
            await asyncio.sleep(POLL_SECONDS)


_feeds: dict[asyncio.AbstractEventLoop, Feed] = {}


def subscribe(resource: str, position: int) -> Subscription:
    """Subscribe the current task to the revisions of `resource` (`plural.group`).

    `position` is a number up to which the caller has read the log; the feed begins there where nobody watches yet.
    Nothing is awaited here, so that two watchers never start two pollers.
    """
    loop = asyncio.get_running_loop()
    if loop not in _feeds:
        _feeds[loop] = Feed(loop, position)
    return _feeds[loop].add(resource)
