"""One poller per event loop that reads the change log for all watchers of the process."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from django.db import DatabaseError
from django.utils import timezone

from milo import stopping
from milo.kube.store.revisions import PAGE, Revision, in_thread, read
from milo.metrics import counted

EVERY = ""
"""Subscribe to the revisions of every resource."""
POLL_SECONDS = 0.2
RETRY_SECONDS = 1.0
QUEUE_LIMIT = 2 * PAGE
"""Revisions a watcher may lag behind before its watch is ended. The client then resumes from its last revision."""
QUESTIONS_LIMIT = 50
"""Questions answered per poll, so that they do not delay revisions."""
GRACE_SECONDS = 60.0
"""Seconds an ended watcher has to fetch its queue before its task is cancelled."""
log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """A database query of a watcher. `answer` receives what `fetch` returns or raises."""

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
    """The queue of one watcher: every revision of `resource` after the number `since`, until `ended`."""

    def __init__(self, feed: "Broadcaster", resource: str) -> None:
        self.feed, self.resource, self.since = feed, resource, feed.position
        self.ended = False
        self._queue: asyncio.Queue[Revision | None] = asyncio.Queue(QUEUE_LIMIT)
        self._task = asyncio.current_task()
        self._grace: asyncio.TimerHandle | None = None

    def put(self, revision: Revision) -> None:
        """Queue a revision, or end the subscription if the queue is full."""
        if self._queue.full():
            counted.watches_behind.inc()
            self.end()
        else:
            self._queue.put_nowait(revision)

    def end(self) -> None:
        """Stop the supply of revisions. The queue can still be fetched for `GRACE_SECONDS`."""
        self.feed.remove(self)
        self.ended = True
        self.wake()
        if self._task:
            self._grace = self.feed.loop.call_later(GRACE_SECONDS, self._task.cancel)

    async def get(self, until: float) -> Revision | None:
        """Return the next revision. None at the loop time `until`, or once the subscription is drained."""
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
        """Return whether the subscription has ended and its queue is empty."""
        return self.ended and self._queue.empty()

    def position(self) -> int:
        """Return the number up to which everything was fetched; 0 if revisions are queued or were missed."""
        return self.feed.position if self._queue.empty() and not self.ended else 0

    @property
    def left(self) -> bool:
        """Whether the process stops, and the watcher has fetched all that it gets here."""
        return stopping.ending() and self._queue.empty()

    def wake(self) -> None:
        """Have a watcher that waits look at `left`."""
        if not self._queue.full():
            self._queue.put_nowait(None)

    def close(self) -> None:
        """Unsubscribe; the watcher is gone."""
        self.feed.remove(self)
        if self._grace:
            self._grace.cancel()


class Broadcaster:
    """Read the log after `position` once for all subscriptions, as long as there are any."""

    def __init__(self, loop: asyncio.AbstractEventLoop, position: int) -> None:
        self.loop, self.position = loop, position
        self._subscriptions: dict[str, set[Subscription]] = defaultdict(set)
        self._questions: list[Question] = []
        # an empty context: the task outlives the request that starts it, and must not inherit its context variables
        self._task = loop.create_task(self._run(), context=Context())

    def add(self, resource: str) -> Subscription:
        subscription = Subscription(self, resource)
        self._subscriptions[resource].add(subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        self._subscriptions[subscription.resource].discard(subscription)

    def wake_all(self) -> None:
        """Wake every watcher."""
        for subscription in set().union(*self._subscriptions.values()):
            subscription.wake()

    async def fetch(self, question: Callable[[], T]) -> T:
        """Run `question` in the thread of the next poll. Shares its database connection among all watchers."""
        answer: asyncio.Future[T] = self.loop.create_future()
        self._questions.append(Question(question, answer))
        return await answer

    async def _run(self) -> None:
        try:
            while any(self._subscriptions.values()):
                await self._poll()
        finally:
            # whatever stopped the poller, no watcher may go on waiting for it
            del _feeds[self.loop]
            for subscription in set().union(*self._subscriptions.values()):
                subscription.end()
            for question in self._questions:
                question.answer.cancel()

    async def _poll(self) -> None:
        questions = self._questions[:QUESTIONS_LIMIT]
        try:
            revisions, answers = await in_thread(_read_and_ask, self.position, questions)
        except DatabaseError as error:
            log.warning("watch_poll_failed", error=error)
            await asyncio.sleep(RETRY_SECONDS)
            return
        now = timezone.now()
        for revision in revisions:
            counted.watch_lag.observe(max(0.0, (now - revision.at).total_seconds()))
            for subscription in (*self._subscriptions[revision.resource], *self._subscriptions[EVERY]):
                subscription.put(revision)
            self.position = revision.number
        del self._questions[: len(questions)]
        for question, answer in zip(questions, answers, strict=True):
            if question.answer.done():
                continue  # its watcher is gone
            if isinstance(answer, Exception):
                question.answer.set_exception(answer)
            else:
                question.answer.set_result(answer)
        if len(revisions) < PAGE:
            await asyncio.sleep(POLL_SECONDS)


_feeds: dict[asyncio.AbstractEventLoop, Broadcaster] = {}


@stopping.when_ending
def _wake_all() -> None:
    for feed in _feeds.values():
        feed.wake_all()


def subscribe(resource: str, position: int) -> Subscription:
    """Subscribe the current task to the revisions of `resource` (`plural.group`, or `EVERY`).

    `position` is the number up to which the caller has read the log; a new poller starts there. This function awaits
    nothing, so two watchers can never start two pollers.
    """
    loop = asyncio.get_running_loop()
    if loop not in _feeds:
        _feeds[loop] = Broadcaster(loop, position)
    return _feeds[loop].add(resource)
