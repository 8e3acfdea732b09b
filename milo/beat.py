"""A scheduler for Celery beat, with a file of last runs that survives kill -9 and a full disk.

Celery's own scheduler keeps a `shelve` file. A truncated one ends beat at every start, or leaves it with an empty
schedule.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from celery.beat import Scheduler as Base

from milo.broker.files import read_regular, write_whole

log = structlog.get_logger(__name__)


class Scheduler(Base):
    """The schedule of the settings. `schedule_filename` has the last run of each task, as JSON."""

    def __init__(self, *arguments: Any, schedule_filename: str, **options: Any) -> None:
        self.file = Path(schedule_filename)
        super().__init__(*arguments, **options)

    def setup_schedule(self) -> None:
        """Load the last runs from the file. Without a readable one, all intervals begin now."""
        super().setup_schedule()
        for name, sent in self._read().items():
            if name in self.schedule:
                self.schedule[name].last_run_at = sent

    def sync(self) -> None:
        """Write the file. On a failure beat goes on, and retries in three minutes."""
        sent = {name: entry.last_run_at.astimezone(UTC).isoformat() for name, entry in self.schedule.items()}
        try:
            write_whole(self.file, json.dumps(sent, indent=1).encode())
        except OSError as error:
            log.warning("beat_schedule_not_written", file=str(self.file), why=str(error))

    @property
    def info(self) -> str:
        return f"    . last runs -> {self.file}"

    def _read(self) -> dict[str, datetime]:
        """Return the last runs by name. One in the future, left by a clock that was set back, counts as now."""
        now = datetime.now(UTC)
        try:
            sent = json.loads(read_regular(self.file))
            return {name: min(now, datetime.fromisoformat(at).astimezone(UTC)) for name, at in sent.items()}
        except FileNotFoundError:
            return {}
        except Exception as error:
            log.warning("beat_schedule_begun_anew", file=str(self.file), why=repr(error))
            return {}
