"""Processes of the soak: started with a log file, killed with their descendants."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 40.0
# a process ends with the soak, however that ends; asked for too late, no signal comes: hence the look at the parent
_END_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"']


class NotStarted(Exception):
    """A process ended, or did not answer in time."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A program that can be started again after it was killed. `log` has its output, over all starts."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, user: str | None = None
    ) -> None:
        self.name, self.log = name, log
        self.started_at = 0.0
        self.command, self.environment, self._user = list(command), dict(environment), user
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [*_END_WITH_PARENT, str(os.getpid()), *self.command],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                user=self._user,
                # a Ctrl-C of the soak must not reach it
                start_new_session=True,
            )
        self.started_at = time.time()

    def kill(self) -> None:
        """SIGKILL the process and all its descendants, the parent first, so that it looks after none of them."""
        if self._running is None:
            return
        family = self.family()
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        self._running.wait()
        psutil.wait_procs(family, timeout=STOP_SECONDS)

    def family(self) -> list[psutil.Process]:
        """Return the process and its descendants; empty once it has ended."""
        if self._running is None:
            return []
        try:
            parent = psutil.Process(self._running.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status; kill the process where it does not end in time."""
        if self._running is None:
            return 0
        if self.is_running:
            os.kill(self._running.pid, number)
        try:
            return self._running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._running.wait()


def run(command: Sequence[str], environment: Mapping[str, str], *, check: bool = True) -> str:
    """Run a program to its end and return its output. Raises `NotStarted` where it fails."""
    done = subprocess.run(list(command), cwd=ROOT, env=dict(environment), capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise NotStarted(f"{' '.join(command)[:200]}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout
