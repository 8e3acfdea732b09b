"""Clocks of processes that the soak sets, by libfaketime (Debian's package faketime)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from soak.processes import NotStarted, Process

LIBRARIES = Path("/usr/lib")
SHARED_MEMORY = Path("/dev/shm")
CACHE_SECONDS = 1
"""After how long a process sees that its clock was set."""
# Python's time.sleep waits for an instant of the monotonic clock. While that is left alone, as event loops need it,
# libfaketime 0.9.10 refuses such a wait with EINVAL.
_SLEEP = """
import select
import time


def sleep(seconds, /):
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = sleep
"""


def library() -> Path | None:
    """Return libfaketime for programs with threads; None where it is not installed."""
    return next(iter(sorted(LIBRARIES.glob("*/faketime/libfaketimeMT.so.1"))), None)


class ProcessWithClock(Process):
    """A Python process whose clock can be set while it runs. `folder` is for the files that set it."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path
    ) -> None:
        if (preload := library()) is None:
            raise NotStarted("there is no libfaketime: apt install faketime")
        self._file = folder / name
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(_SLEEP)
        self.set_clock(0)
        settings = {
            "LD_PRELOAD": str(preload),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(CACHE_SECONDS),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": str(folder),
        }
        # by `env`, so that the library is in the program alone: it keeps shared memory by process, not by program
        preloaded = ["env", *(f"{name}={value}" for name, value in settings.items()), *command]
        super().__init__(name, preloaded, environment, log)

    def set_clock(self, seconds: float) -> None:
        """Set the clock to so many seconds after the right time; negative ones are before it."""
        self._file.write_text(f"{seconds:+.0f}\n")

    def kill(self) -> None:
        """SIGKILL the process, and remove what libfaketime leaves: it would refuse a process of the same number."""
        family = [member.pid for member in self.family()]
        super().kill()
        for pid in family:
            for path in (SHARED_MEMORY / f"faketime_shm_{pid}", SHARED_MEMORY / f"sem.faketime_sem_{pid}"):
                if not psutil.pid_exists(pid):
                    path.unlink(missing_ok=True)
