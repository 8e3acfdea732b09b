"""Unacknowledged messages of consumers."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from milo.broker.files import lock

ASIDE_SUFFIX = ".new"
ASIDE_SECONDS = 3600


class Claims:
    """The folder of one consumer, locked while it runs. A free lock tells other consumers that it is dead."""

    def __init__(self, folder: Path) -> None:
        self._all = folder
        self._own = folder / str(uuid4())
        self._lock: int | None = None

    def path(self, tag: str) -> Path:
        """Return the path of the message `tag` of this consumer."""
        return self._own / tag

    def open(self) -> None:
        """Create and lock the folder, also again after somebody removed it."""
        if self._lock is not None and self._own.is_dir():
            return
        self.close()
        # locked before it appears, because an unlocked folder counts as that of a dead consumer
        aside = self._own.with_name(self._own.name + ASIDE_SUFFIX)
        aside.mkdir(parents=True, exist_ok=True)
        self._lock = lock(aside, wait=True)
        aside.rename(self._own)

    def close(self) -> None:
        """Release the lock. The next consumer recovers remaining messages."""
        with suppress(OSError):
            self._own.rmdir()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def of_the_dead(self) -> Iterator[Path]:
        """Yield the messages of dead consumers, and remove their folders once they are empty."""
        if not self._all.is_dir():
            return
        for folder in list(self._all.iterdir()):
            try:
                if folder.name.endswith(ASIDE_SUFFIX) and time.time() - folder.stat().st_ctime < ASIDE_SECONDS:
                    continue
                held = lock(folder, wait=False)
            except OSError:
                # not a folder, or another consumer has just recovered it
                continue
            if held is None:
                continue
            try:
                yield from list(folder.iterdir())
                with suppress(OSError):
                    folder.rmdir()
            finally:
                os.close(held)
