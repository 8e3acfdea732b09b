"""Read and write the last runs of schedules."""

from datetime import datetime

from django.conf import settings
from django.utils import timezone

from milo.schedules.models import LastRun


def last_run(name: str) -> LastRun:
    """Return the row of a schedule. One that has none yet counts as sent now, so that its interval begins."""
    return LastRun.objects.get_or_create(name=name)[0]


def claim(run: LastRun, at: datetime) -> bool:
    """Write that the schedule was sent `at` (UTC). Return False if another beat wrote since `run` was read."""
    return LastRun.objects.filter(name=run.name, sent_at=run.sent_at).update(sent_at=at) == 1


def record_success(name: str) -> None:
    """Record that a run of the schedule has succeeded now."""
    LastRun.objects.filter(name=name).update(succeeded_at=timezone.now())


def record_failure(name: str, error: BaseException | None) -> None:
    """Record that a run of the schedule has failed now, and the class of its error, whose text may be personal."""
    LastRun.objects.filter(name=name).update(failed_at=timezone.now(), failure=type(error).__name__[:100])


def last_successes() -> dict[str, datetime | None]:
    """Return when each schedule of the settings last succeeded (UTC), by its name; None if it never did. One query."""
    recorded = dict(LastRun.objects.values_list("name", "succeeded_at"))
    return {name: recorded.get(name) for name in settings.CELERY_BEAT_SCHEDULE}
