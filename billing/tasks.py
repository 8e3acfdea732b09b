"""Celery tasks: each calls one service."""

from celery import shared_task

from billing.services import accounts


@shared_task
def validate_waiting_accounts() -> int:
    """Take up the accounts whose validation could not finish."""
    return accounts.validate_waiting()
