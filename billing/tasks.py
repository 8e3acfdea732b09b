"""Celery tasks: each calls one service."""

from celery import shared_task

from billing.services import accounts, continuity
from billing.services.approvals import requests
from billing.services.compliance import assessments
from billing.services.notices import deliveries
from billing.services.retention import archival, plans, purges
from billing.services.usage import upkeep


@shared_task
def validate_waiting_accounts() -> int:
    """Take up the accounts whose validation could not finish."""
    return accounts.validate_waiting()


@shared_task
def assess_accounts() -> int:
    """Note what today's rules say of each account, and announce the payment profiles that will expire."""
    return assessments.assess_all()


@shared_task
def deliver_notices() -> int:
    """Deliver the notices that are due."""
    return deliveries.deliver_due()


@shared_task
def announce_standing() -> int:
    """Write the revisions owed to projects whose payer was suspended or reactivated."""
    return deliveries.announce_due()


@shared_task
def expire_requests() -> int:
    """Expire the approval requests that nobody decided in time."""
    return requests.expire_overdue()


@shared_task
def archive_accounts() -> int:
    """Archive the closed accounts whose day has come."""
    return archival.archive_due()


@shared_task
def purge_accounts() -> int:
    """Pseudonymise the personal data whose retention has ended."""
    return purges.purge_due()


@shared_task
def announce_retention() -> int:
    """Owe the notices of archivals and purges to come."""
    return plans.announce()


@shared_task
def make_usage_partitions() -> int:
    """Make the partitions of the usage events that the coming months need."""
    return upkeep.make_partitions()


@shared_task
def inspect_ledger() -> int:
    """Look for breaks of responsibility, and for rows that their history does not explain."""
    return continuity.inspect()
