"""Celery tasks of the Kubernetes API library."""

from celery import shared_task
from django.conf import settings

from milo.kube.store import changes, responses, resync


@shared_task
def compact_change_log() -> int:
    """Delete superseded revisions older than MILO_CHANGE_LOG_RETENTION and return their number."""
    return changes.compact(settings.MILO_CHANGE_LOG_RETENTION)


@shared_task
def renew_manifests() -> int:
    """Go on, for some seconds, with the comparison that an upgrade owes; returns how many batches were compared."""
    return sum(1 for _progress in resync.proceed(seconds=20))


@shared_task
def forget_responses() -> int:
    """Delete the answers whose Idempotency-Key is no longer kept."""
    return responses.forget()
