"""One process of a running Milo, restarted when it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from django.conf import settings

PAUSES_SECONDS = (1, 2, 4, 8, 16)
"""Delays before restarts of a process that keeps ending; after the last one it is given up."""
RAN_WELL_SECONDS = 60
"""After running this long, a process starts with the first delay again."""
TAIL_BYTES = 4096


class Died(Exception):
    """A process keeps ending. The message has its name, the reason and its log."""


class Child:
    """A process `python ARGUMENTS` with open `files`, writing to `log`. `say` receives a line for each restart."""

    def __init__(
        self, name: str, arguments: Sequence[str], files: Sequence[int], log: Path, say: Callable[[str], None]
    ) -> None:
        self.name = name
        self.log = log
        self._arguments, self._files = arguments, files
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._started = self._next_start = 0.0
        self._deaths: list[float] = []

    def begin(self) -> None:
        """Start it for the first time, with an empty log."""
        self.log.unlink(missing_ok=True)
        self._start()

    def look_after(self) -> None:
        """Restart the process after its delay if it has ended. Raises `Died` if it keeps ending."""
        if self._process is None:
            if time.monotonic() >= self._next_start:
                self._start()
        elif (status := self._process.poll()) is not None:
            self._process = None
            self._ended(self._reason(status))

    def terminate(self) -> None:
        """Send SIGTERM."""
        if self._process:
            self._process.terminate()

    def end(self, seconds: float) -> None:
        """Wait for its end, and kill it after `seconds`."""
        if self._process:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(max(0, seconds))
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        environment = os.environ | {
            "MILO_DATA_DIR": str(settings.DATA_DIR),
            "PYTHONPATH": str(settings.BASE_DIR),
            "PYTHONUNBUFFERED": "1",
        }
        self._started = time.monotonic()
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, *self._arguments],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=self._files,
                    # Ctrl-C reaches the whole foreground group; we stop these in order instead
                    start_new_session=True,
                )
        except OSError as error:
            # for example no memory for the process, or no space for its log
            self._ended(str(error))

    def _ended(self, reason: str) -> None:
        now = time.monotonic()
        if now - self._started >= RAN_WELL_SECONDS:
            self._deaths.clear()
        self._deaths.append(now)
        if len(self._deaths) > len(PAUSES_SECONDS):
            raise Died(
                f"The {self.name} keeps ending: {len(self._deaths)} times within"
                f" {now - self._deaths[0]:.0f} s, at last {reason}; its log is {self.log}"
            )
        pause = PAUSES_SECONDS[len(self._deaths) - 1]
        self._next_start = now + pause
        # the reader may have gone, which must not end the process
        with suppress(OSError):
            self._say(f"The {self.name} has ended ({reason}) and is started again in {pause} s; its log is {self.log}")

    def _reason(self, status: int) -> str:
        """Return how it ended: the signal that killed it, or its exit status and the last line of its log."""
        if status < 0:
            return f"killed by {_signal_name(-status)}"
        words = self._last_words()
        return f"exit status {status}, {words}" if words else f"exit status {status}"

    def _last_words(self) -> str:
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
                lines = log.read().decode(errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")


def _signal_name(number: int) -> str:
    """Return the name of a signal, such as "SIGKILL"; "signal 40" for a real-time signal without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
