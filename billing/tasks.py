"""Celery tasks: each calls one service and returns its count."""

from celery import shared_task

from billing.services import accounts, continuity, default_accounts, unbound
from billing.services.affiliations import conditions as affiliation_conditions
from billing.services.affiliations import facts as affiliation_facts
from billing.services.affiliations import inspection
from billing.services.approvals import requests
from billing.services.compliance import assessments
from billing.services.notices import deliveries
from billing.services.payer_changes import conditions, facts
from billing.services.retention import archival, plans, purges
from billing.services.usage import upkeep


@shared_task
def validate_waiting_accounts() -> int:
    """Validate again the accounts whose validation has not finished."""
    return accounts.validate_waiting()


@shared_task
def bind_to_default_accounts() -> int:
    """Bind the projects that waited for their default account to become Ready."""
    return default_accounts.bind_waiting()


@shared_task
def assess_accounts() -> int:
    """Record the findings of today's rules for each account, and announce payment profiles that will expire."""
    return assessments.assess_all()


@shared_task
def deliver_notices() -> int:
    """Deliver the notices that are due."""
    return deliveries.deliver_due()


@shared_task
def announce_standing() -> int:
    """Write the outstanding revisions that follow a payer: of the projects and accounts that it pays for."""
    return deliveries.announce_due() + assessments.assess_paid()


@shared_task
def expire_requests() -> int:
    """Expire approval requests that were not decided in time."""
    return requests.expire_overdue()


@shared_task
def archive_accounts() -> int:
    """Archive the closed accounts that are due."""
    return archival.archive_due()


@shared_task
def purge_accounts() -> int:
    """Pseudonymise personal data after the end of their retention."""
    return purges.purge_due()


@shared_task
def verify_archive() -> int:
    """Read every bundle of the archive, and return how many are missing or differ."""
    return archival.inspect()


@shared_task
def announce_retention() -> int:
    """Queue notices of coming archivals and purges."""
    return plans.announce()


@shared_task
def make_usage_partitions() -> int:
    """Create the partitions of usage events for the coming months."""
    return upkeep.make_partitions()


@shared_task
def inspect_ledger() -> int:
    """Look for gaps and overlaps of responsibility, and for rows that differ from their history, in what changed."""
    return continuity.inspect()


@shared_task
def inspect_whole_ledger() -> int:
    """Look for gaps and overlaps of responsibility, for rows that differ from their history, and at derived tables."""
    return continuity.inspect(whole=True) + inspection.inspect() + unbound.inspect()


@shared_task
def move_due_projects() -> int:
    """Make bindings of what is due of payer changes."""
    return facts.move_due()


@shared_task
def foresee_payer_changes() -> int:
    """Write which planned payer changes will not take effect, or will again."""
    return conditions.foresee()


@shared_task
def remind_of_payer_changes() -> int:
    """Queue notices of planned payer changes near their instant that will not take effect."""
    return conditions.remind()


@shared_task
def activate_affiliations() -> int:
    """Make facts of planned affiliations whose month has come."""
    return affiliation_facts.activate_due()


@shared_task
def foresee_affiliations() -> int:
    """Write which planned affiliations will not take effect, or will again, and tell people of those near."""
    return affiliation_conditions.foresee()
