"""A scheduler for Celery beat whose last runs are rows, so that neither a new host nor a second beat changes them.

Celery's own scheduler keeps a file. Beside an empty one, a task that is daily never runs if beat is restarted daily;
two beats with a file each send everything twice.
"""

from datetime import timedelta
from typing import Any

import structlog
from celery.beat import ScheduleEntry, SchedulingError
from celery.beat import Scheduler as Base
from celery.schedules import schedstate
from django.db import Error, connection
from django.utils import timezone

from milo.schedules import HEADER, runs
from milo.schedules.models import LastRun

UNANSWERED = timedelta(hours=6)
"""A run that has not succeeded for so long is sent again: its message was lost, its worker killed, or it failed."""
RETRY_SECONDS = 5.0
log = structlog.get_logger(__name__)


class Scheduler(Base):
    """The schedule of the settings. Every decision is made by the rows; what is in memory says when to look next."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.database_is_away = False
        self.unsent = set[str]()
        super().__init__(*arguments, **options)

    def setup_schedule(self) -> None:
        """Load the schedule. The database may still be away, so all entries are looked at once beat runs."""
        super().setup_schedule()
        for entry in self.schedule.values():
            entry.last_run_at = timezone.now() - timedelta(days=366)
            entry.options = {**entry.options, "headers": {HEADER: entry.name}}

    def is_due(self, entry: ScheduleEntry) -> schedstate:
        """Return whether this beat sends the task now, and the seconds until the next look.

        A run that is due is claimed first: of several beats one sends it. While the database is away nothing is due.
        """
        try:
            state = self._claimed(entry)
        except Error as error:
            if not self.database_is_away:
                log.warning("beat_waits_for_database", error=type(error).__name__)
            self.database_is_away = True
            return schedstate(False, RETRY_SECONDS)
        finally:
            if not connection.in_atomic_block:
                connection.close_if_unusable_or_obsolete()
        if self.database_is_away:
            log.info("beat_goes_on")
        self.database_is_away = False
        return state

    def _claimed(self, entry: ScheduleEntry) -> schedstate:
        run, now = runs.last_run(entry.name), timezone.now()
        if run.sent_at > now:
            # left by a clock that was ahead, which would silence the task until then
            runs.claim(run, now)
            run.sent_at = now
        entry.last_run_at = run.sent_at
        due, seconds = entry.is_due()
        due = (due or _is_unanswered(run)) and runs.claim(run, now)
        return schedstate(due, min(seconds, UNANSWERED.total_seconds()))

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send a task that is due. While the broker is away, say so once for each schedule; Celery logs a traceback."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            if entry.name not in self.unsent:
                log.warning("task_not_sent", schedule=entry.name, task=entry.task, error=error.__context__ or error)
            self.unsent.add(entry.name)
            return
        if self.unsent:
            log.info("tasks_sent_again", schedule=entry.name, task=entry.task, unsent=len(self.unsent))
            self.unsent.clear()

    @property
    def info(self) -> str:
        return f"    . last runs -> rows of {LastRun._meta.db_table}"


def _is_unanswered(run: LastRun) -> bool:
    has_succeeded = run.succeeded_at is not None and run.succeeded_at >= run.sent_at
    return not has_succeeded and timezone.now() - run.sent_at >= UNANSWERED
