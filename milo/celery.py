"""The Celery application. The broker is transport only: everything owed is a row first."""

import os
from typing import Any

from celery import Celery, signals

from milo import provenance

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "milo.settings")
app = Celery("milo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.task_prerun.connect  # type: ignore[untyped-decorator]
def name_request(task: Any, task_id: str, **kwargs: Any) -> None:
    """What a task writes carries the task's id."""
    task.request.milo_asked = asked = provenance.asked_by(f"task:{task_id}"[:64])
    asked.__enter__()


@signals.task_postrun.connect  # type: ignore[untyped-decorator]
def forget_request(task: Any, **kwargs: Any) -> None:
    """The next task of the thread has an id of its own."""
    task.request.milo_asked.__exit__(None, None, None)
