"""What retention does to closed accounts and when, before it happens."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from billing.compliance import retention as rules
from billing.models import BillingAccount, Notice
from billing.services.notices import outbox
from billing.services.retention.archival import archive_on, purge_on
from milo import audit

MILESTONES = (7, 30)
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Planned:
    """The days (UTC) on which one account is archived and purged at the earliest.

    `archive_on` is None once it is archived. `purge_on` counts released holds and is None while a hold is open or
    no country's data say how long its records are kept; `holds` are the types of the open ones.
    """

    account: BillingAccount
    archive_on: date | None
    purge_on: date | None
    holds: tuple[str, ...]

    def due(self, on: date) -> str:
        """What the tasks would do with the account on a day: `Archive`, `Purge`, `Held`, or nothing."""
        if self.archive_on:
            return "Archive" if self.archive_on <= on else ""
        if self.holds:
            return "Held"
        return "Purge" if self.purge_on and self.purge_on <= on else ""


def planned(account: BillingAccount, on: date) -> Planned:
    """What retention will do with a closed or archived account, by the rules in force `on` a day."""
    holds = sorted(account.holds.all(), key=lambda hold: hold.pk)
    # the law may have come to ask for more since, never for less than was promised
    day = max((day for day in (account.purge_on, purge_on(account, on)) if day), default=None)
    if day:
        day = rules.purge_date_after_holds(day, [hold.released_at and hold.released_at.date() for hold in holds])
    return Planned(account, archive_on(account), day, tuple(hold.type for hold in holds if hold.released_at is None))


def plan(on: date, organization: str = "") -> Iterator[Planned]:
    """Every closed or archived account (of one organization) that retention has yet to deal with. Changes nothing."""
    accounts = BillingAccount.objects.filter(phase__in=BillingAccount.READ_ONLY, pseudonymised_on=None)
    if organization:
        accounts = accounts.filter(organization__name=organization)
    for account in (
        accounts.select_related("organization")
        .prefetch_related("holds")
        .order_by("organization__name", "name")
        .iterator(CHUNK)
    ):
        yield planned(account, on)


def announce() -> int:
    """Owe the notices of archivals and purges that come in 30 and in 7 days, each once; returns how many are new.

    Where a round was missed, the notice is owed late; of both only the nearer.
    """
    today = timezone.now().date()
    coming = [(found.account, *near) for found in plan(today) if (near := _near(found, today))]
    owed = 0
    for account, about, day, milestone in coming:
        with audit.transaction():
            owed += outbox.queue_retention(about, account, day, milestone)
    return owed


def _near(found: Planned, today: date) -> tuple[Notice.About, date, int] | None:
    if found.archive_on:
        about, day = Notice.About.ARCHIVE_COMING, found.archive_on
    elif found.purge_on:
        about, day = Notice.About.PURGE_COMING, found.purge_on
    else:
        return None
    left = (day - today).days
    milestone = next((days for days in MILESTONES if 0 < left <= days), None)
    return (about, day, milestone) if milestone else None
