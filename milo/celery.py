"""The Celery application. The broker is transport only: pending work is a row first."""

import os
from typing import Any

from celery import Celery, signals
from django.conf import settings

from milo import logs, provenance

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milo.settings")
app = Celery("milo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def configure_logs(**kwargs: Any) -> None:
    """Configure logs like the server's; otherwise Celery replaces the loggers of the standard library."""
    logs.configure(settings.LOGGING)


@signals.task_prerun.connect  # type: ignore[untyped-decorator]
def name_request(task: Any, task_id: str, **kwargs: Any) -> None:
    """Set the task's id as the request id of everything that the task writes."""
    task.request.milo_asked = asked = provenance.asked_by(f"task:{task_id}"[:64])
    asked.__enter__()


@signals.task_postrun.connect  # type: ignore[untyped-decorator]
def forget_request(task: Any, **kwargs: Any) -> None:
    """Reset the request id after the task."""
    task.request.milo_asked.__exit__(None, None, None)
