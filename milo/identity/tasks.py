"""Celery tasks of identity: each calls one service."""

from celery import shared_task

from milo.identity import sessions


@shared_task
def clear_sessions() -> int:
    """Delete the sessions that have expired."""
    return sessions.forget_expired()
