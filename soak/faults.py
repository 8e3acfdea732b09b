"""The fault injector: kills processes, wipes the broker, stops the mail server, fills the disk, sets clocks."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from soak.clocks import CACHE_SECONDS
from soak.milo import Milo
from soak.processes import Process
from soak.records import Records

TRIES = 20
HOUR, DAY = 3600, 86400
WRONG_CLOCKS = (-65, -2 * HOUR, -DAY, -15 * DAY, 2 * HOUR)
"""Seconds by which a clock is set; a difference of a minute is tolerated."""


class Disk:
    """A file system in memory that can be full; needs root."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self.folder = folder
        self._size = mebibytes * 2**20

    @property
    def is_mounted(self) -> bool:
        return self.folder.is_mount()

    def mount(self) -> bool:
        """Mount it; return False where that is not allowed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self._mount(f"mode=0755,size={self._size}")

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def unmount(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self) -> None:
        """Make it as small as what it holds, which takes no memory; again where somebody wrote meanwhile."""
        for _ in range(TRIES):
            room = os.statvfs(self.folder)
            if self._mount(f"remount,size={(room.f_blocks - room.f_bfree) * room.f_frsize}"):
                return

    def clear(self) -> None:
        self._mount(f"remount,size={self._size}")


class Faults:
    """Faults of one deployment, one after the other. Each is logged with the instants of its beginning and end."""

    def __init__(self, milo: Milo, disks: list[Disk], log: Records, seed: int) -> None:
        self._milo, self._disks, self._log = milo, disks, log
        self._random = random.Random(seed)
        self.kinds: dict[str, tuple[int, Callable[[], dict[str, Any]]]] = {
            "postgresql": (5, self._kill_postgresql),
            "web": (5, self._kill_web),
            "worker": (3, lambda: self._kill(milo.worker)),
            "beat": (1, lambda: self._kill(milo.beat)),
            "redis": (3, self._kill_redis),
            "mail": (2, self._stop_mail),
        }
        if milo.clocks:
            self.kinds["clock"] = (2, self._set_clock)
        if disks:
            self.kinds["disk"] = (1, self._fill_disk)

    def inject(self) -> str:
        """Inject one fault, chosen by chance, until what it stopped was started again; return its kind."""
        (kind,) = self._random.choices(list(self.kinds), [weight for weight, _fault in self.kinds.values()])
        self.inject_kind(kind)
        return kind

    def inject_kind(self, kind: str) -> None:
        begun = time.time()
        said = self.kinds[kind][1]()
        self._log.append({"fault": kind, "at": begun, "until": time.time(), **said})

    def look_after(self) -> None:
        """Log each process that has ended by itself, which none should, and start it again."""
        for process in self._milo.processes:
            if not process.is_running:
                self._log.append({"ended": process.name, "at": time.time()})
                process.start()

    def _pause(self, longest: float) -> None:
        time.sleep(self._random.uniform(0, longest))

    def _kill_postgresql(self) -> dict[str, Any]:
        self._milo.postgresql.kill()
        self._pause(4)
        return {"accepts": self._milo.postgresql.start()}

    def _kill_web(self) -> dict[str, Any]:
        number = self._random.randrange(len(self._milo.webs))
        return {"web": number, **self._kill(self._milo.webs[number])}

    def _kill(self, process: Process) -> dict[str, Any]:
        process.kill()
        self._pause(1)
        process.start()
        return {}

    def _kill_redis(self) -> dict[str, Any]:
        """Kill it, and every other time lose all that it held."""
        self._milo.redis.kill()
        wiped = self._random.random() < 0.5
        if wiped:
            shutil.rmtree(self._milo.redis_folder)
            self._milo.redis_folder.mkdir()
        self._pause(3)
        self._milo.redis.start()
        return {"wiped": wiped}

    def _stop_mail(self) -> dict[str, Any]:
        self._milo.mails.stop()
        self._pause(8)
        self._milo.mails.start()
        return {}

    def _set_clock(self) -> dict[str, Any]:
        """Set the clock of a process back, or now and then forward, while it runs."""
        process = self._random.choice(self._milo.clocks)
        seconds = self._random.choice(WRONG_CLOCKS)
        process.set_clock(seconds)
        try:
            self._pause(5)
            time.sleep(CACHE_SECONDS)
        finally:
            process.set_clock(0)
        time.sleep(CACHE_SECONDS)
        said: dict[str, Any] = {"clock": process.name, "seconds": seconds}
        if process in self._milo.webs:
            said["web"] = self._milo.webs.index(process)
        return said

    def _fill_disk(self) -> dict[str, Any]:
        disk = self._random.choice(self._disks)
        disk.fill()
        try:
            self._pause(4)
        finally:
            disk.clear()
        said: dict[str, Any] = {"disk": disk.folder.name}
        if disk.folder.name == self._milo.postgresql.folder.parent.name:
            # without room for its log the server ends itself, and waits for somebody to start it
            said["accepts"] = self._milo.postgresql.revive()
        return said
