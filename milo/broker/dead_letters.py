"""Dead letters: messages that could not be read or delivered, kept for inspection."""

import time
from pathlib import Path

import structlog

from milo.broker.files import remove

KEPT = 100

log = structlog.get_logger(__name__)


class DeadLetters:
    """A folder of the newest KEPT dead letters, named by the time at which they were added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, path: Path, why: object) -> bool:
        """Move the message at `path` here, and log `why`. Return False if it cannot be moved, which is logged too."""
        kept = self.folder / f"{time.time_ns():020}.msg"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # a new name, because the old one may already have the maximum length
            path.rename(kept)
        except OSError as error:
            log.error("dead_letter_stays", message=str(path), why=why, error=error)
            return False
        log.warning("dead_letter", message=path.name, why=why, kept=str(kept))
        for old in sorted(self.folder.iterdir())[:-KEPT]:
            remove(old)
        return True
