"""File names of messages. Their alphabetical order is the order of delivery."""

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
    """The parsed name of a message. Times are nanoseconds since the epoch; `failures` counts failed consumers."""

    created: int
    deadline: int
    failures: int
    uid: str
    queue: str

    def __str__(self) -> str:
        return f"{self.created:020}_{self.deadline:020}_{self.failures}_{self.uid}.{self.queue}{SUFFIX}"

    @classmethod
    def new(cls, queue: str, seconds: float = TIME_TO_LIVE_SECONDS) -> Self:
        """Return the name of a new message that may wait for `seconds`."""
        now = time.time_ns()
        return cls(now, now + int(seconds * 1e9), 0, str(uuid4()), queue)

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Return the parsed file name; None if it is not the name of a message."""
        prefix, queue = name.partition(".")[0], queue_of(name)
        match = _PATTERN.fullmatch(prefix)
        if not match or not queue:
            return None
        return cls(int(match[1]), int(match[2]), int(match[3]), match[4], queue)

    def failed(self) -> Self:
        """Return the name after another consumer failed; its place in the queue does not change."""
        return replace(self, failures=self.failures + 1)


def queue_of(name: str) -> str:
    """Return the queue in a file name; empty if it is not the name of a message."""
    return name.partition(".")[2].removesuffix(SUFFIX) if name.endswith(SUFFIX) else ""
