"""The processes of a running Milo: started together, looked after together, stopped together."""

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
    """Somebody has asked for the end: Ctrl-C or SIGTERM."""


class Processes:
    """A context: inside it SIGINT and SIGTERM only ask for the end; after it, however it ends, no process is left.

    A process that ends is started again, and `say` gets a line about it.
    """

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self.logs = logs
        self._say = say
        self._children: list[Child] = []
        self._stop = Event()

    def start(self, name: str, arguments: Sequence[str], files: Sequence[int] = ()) -> None:
        """Start `python ARGUMENTS`; it writes to `name`.log. The caller keeps `files` open, for the next start."""
        child = Child(name, arguments, files, self.logs / f"{name}.log", self._say)
        self._children.append(child)
        child.begin()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()`. Raises `Died` where a process keeps ending or time runs out, and `Stopped`."""
        end = time.monotonic() + seconds
        while not ready():
            self._pause(0.1)
            if time.monotonic() > end:
                raise Died(f"The server does not answer after {seconds:.0f} s; its log is {self.logs / 'server.log'}")

    def watch(self) -> None:
        """Never returns: raises `Died` when a process keeps ending, `Stopped` when somebody asks for the end."""
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
        # `nohup make up` is not to end with its terminal
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
