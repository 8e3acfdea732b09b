"""Celery tasks of the library."""

from celery import shared_task
from django.conf import settings

from milo.kube.store import changes


@shared_task
def compact_change_log() -> int:
    """Delete the revisions that the retention no longer asks for."""
    return changes.compact(settings.MILO_CHANGE_LOG_RETENTION)
