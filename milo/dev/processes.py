"""The processes of a running Milo: started together, watched together, stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from django.conf import settings

STOP_SECONDS = 10


class Stopped(Exception):
    """Somebody has asked for the end: Ctrl-C or SIGTERM."""


class Died(Exception):
    """A process ended that should not have; the message says which, and where its log is."""


class Processes:
    """A context: inside it SIGINT and SIGTERM only ask for the end; after it, however it ends, no process is left."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._stop = Event()

    def start(self, name: str, arguments: Sequence[str], files: Sequence[int] = ()) -> None:
        """Start `python ARGUMENTS` with the open `files`; it writes to `name`.log, begun anew."""
        environment = os.environ | {
            "MILO_DATA_DIR": str(settings.DATA_DIR),
            "PYTHONPATH": str(settings.BASE_DIR),
            "PYTHONUNBUFFERED": "1",
        }
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=files,
                # Ctrl-C reaches the whole foreground group; these are stopped by us, in order
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()`. Raises `Died` where a process ends meanwhile or time runs out, and `Stopped`."""
        end = time.monotonic() + seconds
        while not ready():
            self._pause(0.1)
            if time.monotonic() > end:
                raise Died(f"The server does not answer after {seconds:.0f} s; its log is {self._log('server')}")

    def watch(self) -> None:
        """Never returns: raises `Died` when a process ends, `Stopped` when somebody asks for the end."""
        while True:
            self._pause(0.3)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped
        for name, process in self._running.items():
            if (status := process.poll()) is not None:
                raise Died(f"The {name} has stopped (exit status {status}); its log is {self._log(name)}")

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._stop.set())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._running.values():
            process.terminate()
        end = time.monotonic() + STOP_SECONDS
        for process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0, end - time.monotonic()))
            # beat is a child of the worker, and would outlive it where that had to be killed
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"
