"""Start, supervise and stop the processes of a running Milo together."""

import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from milo.dev.child import Child, Died

STOP_SECONDS = 10


class Stopped(Exception):
    """Ctrl-C, SIGTERM or SIGHUP was received."""


class Processes:
    """A context manager that supervises processes. On exit, for any reason, it stops all of them.

    Inside it signals only set a flag, which raises `Stopped`. A process that ends is restarted, and `say` receives a
    line.
    """

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self.logs = logs
        self._say = say
        self._children: list[Child] = []
        self._stop = Event()

    def start(self, name: str, arguments: Sequence[str], files: Sequence[int] = ()) -> None:
        """Start `python ARGUMENTS` with the log `name`.log. The caller keeps `files` open for restarts."""
        child = Child(name, arguments, files, self.logs / f"{name}.log", self._say)
        self._children.append(child)
        child.begin()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()` is true. Raises `Died` if a process keeps ending or time runs out, and `Stopped`."""
        end = time.monotonic() + seconds
        while not ready():
            self._pause(0.1)
            if time.monotonic() > end:
                raise Died(f"The server does not answer after {seconds:.0f} s; its log is {self.logs / 'server.log'}")

    def watch(self) -> None:
        """Supervise until an exception: `Died` if a process keeps ending, `Stopped` after a signal."""
        while True:
            self._pause(0.3)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped
        for child in self._children:
            child.look_after()

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        signals = [signal.SIGINT, signal.SIGTERM]
        # `nohup make up` must outlive its terminal
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signals.append(signal.SIGHUP)
        for number in signals:
            signal.signal(number, lambda *_: self._stop.set())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for child in self._children:
            child.terminate()
        end = time.monotonic() + STOP_SECONDS
        for child in self._children:
            child.end(end - time.monotonic())
