"""The live end of the change log: one poller per event loop reads it for all watchers of the process."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from django.db import DatabaseError

from milo.kube.store.revisions import PAGE, Revision, in_thread, read

EVERY = ""
"""What a watcher of the revisions of every resource subscribes to."""
POLL_SECONDS = 0.2
RETRY_SECONDS = 1.0
QUEUE_LIMIT = 2 * PAGE
"""Revisions that a watcher may fall behind before it is ended; its client then watches again from where it was."""
QUESTIONS_LIMIT = 50
"""Questions answered in one poll, so that they hold up no revision."""
GRACE_SECONDS = 60.0
"""How long an ended watcher may take to fetch what waits for it, before its task is cancelled."""
log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """What a watcher wants to know of the database; `answer` takes what `ask` returns or raises."""

    fetch: Callable[[], Any]
    answer: asyncio.Future[Any]


def _read_and_ask(after: int, questions: list[Question]) -> tuple[list[Revision], list[Any]]:
    answers: list[Any] = []
    for question in questions:
        try:
            answers.append(question.fetch())
        except Exception as error:
            answers.append(error)
    return read(after), answers


class Subscription:
    """What one watcher is fed: each revision of `resource` after the number `since`, until it is `ended`."""

    def __init__(self, feed: "Broadcaster", resource: str) -> None:
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


class Broadcaster:
    """Reads the log after `position` while there are subscriptions, once for all of them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, position: int) -> None:
        self.loop, self.position = loop, position
        self._subscriptions: dict[str, set[Subscription]] = defaultdict(set)
        self._questions: list[Question] = []
        # it outlives the request that started it, and so does not inherit what that has bound to its context
        self._task = loop.create_task(self._run(), context=Context())

    def add(self, resource: str) -> Subscription:
        subscription = Subscription(self, resource)
        self._subscriptions[resource].add(subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.resource].discard(subscription)

    async def fetch(self, question: Callable[[], T]) -> T:
        """What `question` returns or raises in the thread of the next poll: a connection each would cost far more."""
        answer: asyncio.Future[T] = self.loop.create_future()
        self._questions.append(Question(question, answer))
        return await answer

    async def _run(self) -> None:
        try:
            while any(self._subscriptions.values()):
                await self._poll()
        finally:
            # whatever stopped it, no watcher may wait for a poller that is gone
            del _feeds[self.loop]
            for subscription in set().union(*self._subscriptions.values()):
                subscription.end()
            for question in self._questions:
                question.answer.cancel()

    async def _poll(self) -> None:
        questions = self._questions[:QUESTIONS_LIMIT]
        try:
            found, answers = await in_thread(_read_and_ask, self.position, questions)
        except DatabaseError as error:
            log.warning("watch_poll_failed", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)
            return
        for revision in found:
            for subscription in (*self._subscriptions[revision.resource], *self._subscriptions[EVERY]):
                subscription.put(revision)
            self.position = revision.number
        del self._questions[: len(questions)]
        for question, answer in zip(questions, answers, strict=True):
            if question.answer.done():
                continue  # its watcher has gone
            if isinstance(answer, Exception):
                question.answer.set_exception(answer)
            else:
                question.answer.set_result(answer)
        if len(found) < PAGE:
            await asyncio.sleep(POLL_SECONDS)


_feeds: dict[asyncio.AbstractEventLoop, Broadcaster] = {}


def subscribe(resource: str, position: int) -> Subscription:
    """Subscribe the current task to the revisions of `resource` (`plural.group`, or `EVERY`).

    `position` is a number up to which the caller has read the log; the feed begins there where nobody watches yet.
    Nothing is awaited here, so that two watchers never start two pollers.
    """
    loop = asyncio.get_running_loop()
    if loop not in _feeds:
        _feeds[loop] = Broadcaster(loop, position)
    return _feeds[loop].add(resource)
