"""A lock of a process that is had in the order of asking: the queue lock of Craig, Landin and Hagersten.

Each turn waits for the end of the turn before it. To end a turn takes no lock of the line, so a finalizer may do it at
any moment, in any thread.
"""

import os
import threading
from time import monotonic


class Turn:
    """A place in a line, to be ended whatever happens, also where it has not begun."""

    __slots__ = ("_before", "_end")

    def __init__(self) -> None:
        self._end = threading.Lock()
        self._end.acquire()
        self._before: Turn | None = None

    def end(self) -> None:
        """Let the next turn begin. Call it once."""
        self._end.release()


class Line:
    """A line of turns, of which one has begun and not ended."""

    def __init__(self) -> None:
        self._appending = threading.Lock()
        self._last: Turn | None = None

    def wait(self, turn: Turn, seconds: float) -> bool:
        """Put a new turn at the end, and wait until it begins. Return False if that takes too long."""
        until = monotonic() + seconds
        with self._appending:
            turn._before, self._last = self._last, turn
        while before := turn._before:
            if not before._end.acquire(timeout=max(0.0, until - monotonic())):
                return False
            # one that ended before it began leaves the turn for which it waited
            turn._before = before._before
        return True


_lines: dict[tuple[int, str], Line] = {}


def line(path: str) -> Line:
    """Return the line of a file in this process. A forked process has its own: its parent's threads are not in it."""
    return _lines.setdefault((os.getpid(), path), Line())
