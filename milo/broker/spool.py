"""A spool: messages as files of one folder, for several producers and consumers of one machine.

    QUEUE messages wait as     *.QUEUE.msg, whole
    taken, not acknowledged    unacked/CONSUMER/
    unreadable, undeliverable  dead-letters/, the newest 100

Delivery is at least once: a message goes with its acknowledgement, and comes back when its consumer is dead.
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
    """One producer or consumer of a folder. Messages that it took have a tag, unique while it lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dead_letters = DeadLetters(folder / "dead-letters")
        self._claims = Claims(folder / "unacked")
        self._waiting: defaultdict[str, deque[str]] = defaultdict(deque)
        self._empty_until: defaultdict[str, float] = defaultdict(float)
        self._immovable: set[str] = set()
        self._next_upkeep = 0.0

    def put(self, queue: str, body: bytes, seconds: float = TIME_TO_LIVE_SECONDS) -> None:
        """Add a message, which goes unread after so many seconds. Raises OSError where it cannot be written."""
        if not queue or "/" in queue:
            raise OSError(f"{queue!r} cannot be the name of a queue")
        self._upkeep()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / str(MessageName.new(queue, seconds)), body)

    def take(self, queue: str) -> str | None:
        """Claim the oldest waiting message and return its tag; None if none waits. Raises OSError for the folder."""
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
                # another consumer was quicker
                continue
            except OSError as error:
                if not os.access(self.folder, os.W_OK):
                    raise
                # tried again a minute later
                self._immovable.add(name)
                log.error("message_cannot_be_taken", message=name, error=str(error))
                continue
            return name
        return None

    def read(self, tag: str) -> bytes:
        """Return the content of a claimed message. Raises OSError for anything but a file of ordinary size."""
        return read_regular(self._claims.path(tag))

    def acknowledge(self, tag: str) -> None:
        """Forget a claimed message."""
        remove(self._claims.path(tag))

    def release(self, tag: str) -> None:
        """Give back a claimed message that no consumer has worked on."""
        with suppress(FileNotFoundError):
            self._claims.path(tag).rename(self.folder / tag)

    def requeue(self, tag: str) -> None:
        """Give back a claimed message with which a consumer failed; after MAX_FAILURES it is a dead letter."""
        self._failed(self._claims.path(tag))

    def set_aside(self, tag: str, why: object) -> None:
        """Make a claimed message a dead letter."""
        self.dead_letters.add(self._claims.path(tag), why)

    def names(self, queue: str) -> list[str]:
        """Return the file names of the waiting messages of a queue, oldest first."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted(name for name in names if queue_of(name) == queue and name not in self._immovable)

    def purge(self, queue: str) -> int:
        """Remove the waiting messages of a queue and return how many."""
        names = self.names(queue)
        for name in names:
            remove(self.folder / name)
        return len(names)

    def close(self) -> None:
        """End as a consumer; what is claimed still comes back to the next one."""
        self._claims.close()

    def _look_for(self, queue: str, waiting: deque[str]) -> None:
        """List the waiting messages of a queue.

        A listing is used up before the next one, and an empty queue is left alone for a moment: a worker asks for
        commands before each task, and to read a long folder each time would take longer than the tasks.
        """
        if time.monotonic() < self._empty_until[queue]:
            return
        waiting.extend(self.names(queue))
        if not waiting:
            self._empty_until[queue] = time.monotonic() + EMPTY_SECONDS

    def _upkeep(self) -> None:
        """Take back what dead consumers held, and remove what is past its time; once a minute."""
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
            # its consumer has acknowledged it after all
            pass
        except OSError as error:
            self.dead_letters.add(path, error)


def _is_past(entry: os.DirEntry[str]) -> bool:
    """Whether a file of ours has waited longer than it may. Foreign files stay, but for the messages among them."""
    name = MessageName.parse(entry.name.removesuffix(ASIDE_SUFFIX))
    try:
        # the time of the last rename: that of the last write may have been copied with the file
        age = time.time() - entry.stat(follow_symlinks=False).st_ctime
    except OSError:
        return False
    if entry.name.endswith(ASIDE_SUFFIX):
        return name is not None and age > ASIDE_SECONDS
    if name:
        return time.time_ns() > name.deadline
    return entry.name.endswith(SUFFIX) and age > TIME_TO_LIVE_SECONDS
