"""Dead letters: what could not be read or delivered, kept for a person to look at."""

import time
from pathlib import Path

import structlog

from milo.broker.files import remove

KEPT = 100

log = structlog.get_logger(__name__)


class DeadLetters:
    """A folder of the newest KEPT dead letters, named by the time at which they became that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, path: Path, why: object) -> bool:
        """Move `path` here and log why. False if it cannot be moved, which is logged too."""
        kept = self.folder / f"{time.time_ns():020}.msg"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # a name of our own, because its name may be as long as a name can be
            path.rename(kept)
        except OSError as error:
            log.error("dead_letter_stays", message=str(path), why=str(why), error=str(error))
            return False
        log.warning("dead_letter", message=path.name, why=str(why), kept=str(kept))
        for old in sorted(self.folder.iterdir())[:-KEPT]:
            remove(old)
        return True
