"""The canary: a task that shows that beat, the broker and a worker work together."""

from celery import shared_task


@shared_task
def answer_canary() -> None:
    """Do nothing: the worker records the success of the schedule, as of every other (`milo.celery`)."""
