"""File names of messages. Sorted by name they are in the order of delivery."""

import re
import time
from dataclasses import dataclass, replace
from typing import Self
from uuid import uuid4

SUFFIX = ".msg"
TIME_TO_LIVE_SECONDS = 24 * 3600.0
_PATTERN = re.compile(r"([0-9]{20})_([0-9]{20})_([0-9]+)_([0-9a-f-]{36})", re.ASCII)


@dataclass(frozen=True, slots=True)
class MessageName:
    """What the name of a message says: times in nanoseconds since the epoch, and how many consumers failed with it."""

    created: int
    deadline: int
    failures: int
    uid: str
    queue: str

    def __str__(self) -> str:
        return f"{self.created:020}_{self.deadline:020}_{self.failures}_{self.uid}.{self.queue}{SUFFIX}"

    @classmethod
    def new(cls, queue: str, seconds: float = TIME_TO_LIVE_SECONDS) -> Self:
        """Return the name of a message that comes into being now and may wait for so many seconds."""
        now = time.time_ns()
        return cls(now, now + int(seconds * 1e9), 0, str(uuid4()), queue)

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Return what a file name says; None for one that is not ours."""
        prefix, queue = name.partition(".")[0], queue_of(name)
        found = _PATTERN.fullmatch(prefix)
        if not found or not queue:
            return None
        return cls(int(found[1]), int(found[2]), int(found[3]), found[4], queue)

    def failed(self) -> Self:
        """Return the name after one more consumer failed; the place in the queue stays."""
        return replace(self, failures=self.failures + 1)


def queue_of(name: str) -> str:
    """Return the queue that a file name names; empty if it is not the name of a message."""
    return name.partition(".")[2].removesuffix(SUFFIX) if name.endswith(SUFFIX) else ""
