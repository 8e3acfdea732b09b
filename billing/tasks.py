"""Celery tasks: each calls one service."""

from celery import shared_task

from billing.services import accounts, approvals, deliveries


@shared_task
def validate_waiting_accounts() -> int:
    """Take up the accounts whose validation could not finish."""
    return accounts.validate_waiting()


@shared_task
def deliver_notices() -> int:
    """Deliver the notices that are due."""
    return deliveries.deliver_due()


@shared_task
def announce_standing() -> int:
    """Write the revisions owed to projects whose payer was suspended or reactivated."""
    return deliveries.announce_owed()


@shared_task
def expire_requests() -> int:
    """Expire the approval requests that nobody decided in time."""
    return approvals.expire_overdue()
