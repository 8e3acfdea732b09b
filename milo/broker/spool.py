"""A spool: messages as files in one folder, for several producers and consumers of one machine.

    waiting in QUEUE           *.QUEUE.msg, completely written
    unacknowledged             unacked/CONSUMER/
    unreadable, undeliverable  dead-letters/, the newest 100

Delivery is at least once: a message is removed at its acknowledgement, and requeued if its consumer is dead.
"""

import os
import time
from collections import defaultdict, deque
from contextlib import suppress
from pathlib import Path

import structlog

from milo.broker.claims import ASIDE_SECONDS, ASIDE_SUFFIX, Claims
from milo.broker.dead_letters import DeadLetters
from milo.broker.files import read_regular, remove, write_whole
from milo.broker.names import SUFFIX, TIME_TO_LIVE_SECONDS, MessageName, queue_of

UPKEEP_SECONDS = 60
EMPTY_SECONDS = 0.1
MAX_FAILURES = 3

log = structlog.get_logger(__name__)


class Spool:
    """One producer or consumer of a folder. Each claimed message has a tag, unique for this object."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dead_letters = DeadLetters(folder / "dead-letters")
        self._claims = Claims(folder / "unacked")
        self._waiting: defaultdict[str, deque[str]] = defaultdict(deque)
        self._empty_until: defaultdict[str, float] = defaultdict(float)
        self._immovable: set[str] = set()
        self._next_upkeep = 0.0

    def put(self, queue: str, body: bytes, seconds: float = TIME_TO_LIVE_SECONDS) -> None:
        """Add a message, which expires after `seconds`. Raises OSError if it cannot be written."""
        if not queue or "/" in queue:
            raise OSError(f"{queue!r} cannot be the name of a queue")
        self._upkeep()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / str(MessageName.new(queue, seconds)), body)

    def take(self, queue: str) -> str | None:
        """Claim the oldest waiting message and return its tag, or None.

        Raises OSError if the folder cannot be used.
        """
        self._upkeep()
        waiting = self._waiting[queue]
        if not waiting:
            self._look_for(queue, waiting)
        if waiting:
            self._claims.open()
        while waiting:
            name = waiting.popleft()
            try:
                (self.folder / name).rename(self._claims.path(name))
            except FileNotFoundError:
                # another consumer has claimed it
                continue
            except OSError as error:
                if not os.access(self.folder, os.W_OK):
                    raise
                # retried a minute later
                self._immovable.add(name)
                log.error("message_cannot_be_taken", message=name, error=error)
                continue
            return name
        return None

    def read(self, tag: str) -> bytes:
        """Return the content of a claimed message. Raises OSError if it is not a regular file, or too large."""
        return read_regular(self._claims.path(tag))

    def acknowledge(self, tag: str) -> None:
        """Remove a claimed message."""
        remove(self._claims.path(tag))

    def release(self, tag: str) -> None:
        """Return a claimed message to its queue without counting a failure."""
        with suppress(FileNotFoundError):
            self._claims.path(tag).rename(self.folder / tag)

    def requeue(self, tag: str) -> None:
        """Return a claimed message after a failure; after MAX_FAILURES it becomes a dead letter."""
        self._failed(self._claims.path(tag))

    def set_aside(self, tag: str, why: object) -> None:
        """Turn a claimed message into a dead letter."""
        self.dead_letters.add(self._claims.path(tag), why)

    def names(self, queue: str) -> list[str]:
        """Return the file names of the waiting messages of a queue, oldest first."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if queue_of(name) == queue and name not in self._immovable)

    def purge(self, queue: str) -> int:
        """Remove the waiting messages of a queue. Return how many."""
        names = self.names(queue)
        for name in names:
            remove(self.folder / name)
        return len(names)

    def close(self) -> None:
        """Release the claims; the next consumer recovers unacknowledged messages."""
        self._claims.close()

    def _look_for(self, queue: str, waiting: deque[str]) -> None:
        """List the waiting messages of a queue.

        A listing is used up before the next one, and an empty queue is not listed again for a moment. A worker polls
        its command queue before each task, and listing a long folder each time would take longer than the tasks.
        """
        if time.monotonic() < self._empty_until[queue]:
            return
        waiting.extend(self.names(queue))
        if not waiting:
            self._empty_until[queue] = time.monotonic() + EMPTY_SECONDS

    def _upkeep(self) -> None:
        """Once a minute, requeue messages of dead consumers, and remove expired ones."""
        if time.monotonic() < self._next_upkeep:
            return
        self._next_upkeep = time.monotonic() + UPKEEP_SECONDS
        self._immovable.clear()
        for path in self._claims.of_the_dead():
            self._failed(path)
        if not self.folder.is_dir():
            return
        expired = [entry for entry in os.scandir(self.folder) if _is_past(entry)]
        for entry in expired:
            remove(Path(entry.path))
        if expired:
            log.warning("messages_expired", number=len(expired), first=expired[0].name)

    def _failed(self, path: Path) -> None:
        queue = queue_of(path.name)
        name = MessageName.parse(path.name) or MessageName.new(queue)
        if name.failures + 1 >= MAX_FAILURES or not queue:
            self.dead_letters.add(path, f"{MAX_FAILURES} consumers ended or failed while they had it")
            return
        try:
            path.rename(self.folder / str(name.failed()))
        except FileNotFoundError:
            # its consumer has acknowledged it meanwhile
            pass
        except OSError as error:
            self.dead_letters.add(path, error)


def _is_past(entry: os.DirEntry[str]) -> bool:
    """Return whether a message has expired. Files without the name of a message never expire."""
    name = MessageName.parse(entry.name.removesuffix(ASIDE_SUFFIX))
    try:
        # the time of the last rename; the modification time may have been copied with the file
        age = time.time() - entry.stat(follow_symlinks=False).st_ctime
    except OSError:
        return False
    if entry.name.endswith(ASIDE_SUFFIX):
        return name is not None and age > ASIDE_SECONDS
    if name:
        return time.time_ns() > name.deadline
    return entry.name.endswith(SUFFIX) and age > TIME_TO_LIVE_SECONDS
