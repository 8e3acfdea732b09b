"""Metrics of the periodic tasks, which workers record in rows."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from milo.metrics.declared import row_gauge
from milo.schedules.models import LastRun

_DAY = 86400
_LABELS = ("schedule",)
INTERVAL = row_gauge("milo_schedule_interval_seconds", "How often a periodic task is due", _LABELS)
SENT = row_gauge("milo_schedule_sent_timestamp_seconds", "When beat last sent a periodic task", _LABELS)
SUCCEEDED = row_gauge(
    "milo_schedule_success_timestamp_seconds",
    "When a worker last succeeded with a periodic task. That of `canary` does nothing else than to answer: if its"
    " answers are late, beat, the broker or the workers stand still",
    _LABELS,
)
FAILED = row_gauge("milo_schedule_failure_timestamp_seconds", "When a periodic task last failed in a worker", _LABELS)


class ScheduleCollector(Collector):
    """Reads the last runs of the schedules in the settings, by one query."""

    def collect(self) -> Iterator[Metric]:
        schedules = settings.CELERY_BEAT_SCHEDULE
        runs = list(LastRun.objects.filter(name__in=schedules).order_by("name"))
        yield INTERVAL.of({(name,): _interval(each["schedule"]) for name, each in schedules.items()})
        yield SENT.of({(run.name,): run.sent_at.timestamp() for run in runs})
        yield SUCCEEDED.of({(run.name,): run.succeeded_at.timestamp() for run in runs if run.succeeded_at})
        yield FAILED.of({(run.name,): run.failed_at.timestamp() for run in runs if run.failed_at})


def _interval(schedule: Any) -> float:
    """Return the seconds between two runs, given seconds or a crontab of hours and minutes of each day."""
    return _DAY / len(schedule.hour) / len(schedule.minute) if hasattr(schedule, "hour") else float(schedule)
