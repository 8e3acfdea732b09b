"""Celery tasks of the Kubernetes API library."""

from celery import shared_task
from django.conf import settings

from milo.kube.store import changes


@shared_task
def compact_change_log() -> int:
    """Delete superseded revisions older than MILO_CHANGE_LOG_RETENTION and return their number."""
    return changes.compact(settings.MILO_CHANGE_LOG_RETENTION)
