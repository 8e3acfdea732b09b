"""The Celery application. The broker is transport only: everything owed is a row first."""

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
    """Log as the server does; Celery would take over the standard library's loggers."""
    logs.configure(settings.LOGGING)


@signals.task_prerun.connect  # type: ignore[untyped-decorator]
def name_request(task: Any, task_id: str, **kwargs: Any) -> None:
    """What a task writes carries the task's id."""
    task.request.milo_asked = asked = provenance.asked_by(f"task:{task_id}"[:64])
    asked.__enter__()


@signals.task_postrun.connect  # type: ignore[untyped-decorator]
def forget_request(task: Any, **kwargs: Any) -> None:
    """The next task of the thread has an id of its own."""
    task.request.milo_asked.__exit__(None, None, None)
