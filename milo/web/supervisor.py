"""Several processes that serve one socket. One that ends is started again."""

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from threading import Event
from typing import Any

import structlog
from django.conf import settings

from milo.metrics.shared import forget_process, shared_folder

PAUSE_SECONDS = 1.0
RAN_WELL_SECONDS = 30.0
DEATHS = 5
"""So often in a row a process may end soon after its start; then all end, for whoever looks after them to see."""
log = structlog.get_logger(__name__)


class Supervisor:
    """Runs `work(listening)` in `number` processes until SIGTERM or SIGINT, which it hands on."""

    def __init__(self, work: Callable[[socket.socket], None], listening: socket.socket, number: int) -> None:
        self._work, self._listening, self._number = work, listening, number
        self._stop = Event()
        self._signal = signal.SIGTERM
        self._processes: dict[SpawnProcess, float] = {}
        self._deaths = 0

    def run(self) -> bool:
        """Return at the end whether it was asked for; False where processes kept ending."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._asked)
        with shared_folder():
            for _ in range(self._number):
                self._start()
            while not self._stop.wait(0.2) and self._deaths < DEATHS:
                self._look_after()
            self._end()
        return self._stop.is_set()

    def _asked(self, number: int, frame: Any) -> None:
        self._signal = signal.Signals(number)
        self._stop.set()

    def _start(self) -> None:
        process = multiprocessing.get_context("spawn").Process(target=self._work, args=(self._listening,))
        process.start()
        self._processes[process] = time.monotonic()

    def _look_after(self) -> None:
        for process, started in list(self._processes.items()):
            if process.is_alive():
                continue
            del self._processes[process]
            forget_process(process.pid or 0)
            ran = time.monotonic() - started
            self._deaths = 0 if ran >= RAN_WELL_SECONDS else self._deaths + 1
            log.warning("server_process_ended", exit_status=process.exitcode, seconds=round(ran))
            self._stop.wait(PAUSE_SECONDS)
            self._start()

    def _end(self) -> None:
        """Have all stop, and kill what has not left in time."""
        self._listening.close()
        for process in self._processes:
            if process.is_alive() and process.pid:
                os.kill(process.pid, self._signal)
        end = time.monotonic() + settings.MILO_STOP_SECONDS + 1
        for process in self._processes:
            process.join(max(0, end - time.monotonic()))
            process.kill()
            process.join()
