"""Plan retention: the days on which closed accounts are archived and purged, and the notices in advance."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from billing.compliance import retention as rules
from billing.features import ARCHIVAL, PURGE
from billing.models import BillingAccount, Notice
from billing.services.notices import outbox
from billing.services.retention import payers
from billing.services.retention.archival import archive_on, purge_on
from milo import audit, clock, feature_gates

MILESTONES = (7, 30)
CHUNK = 500
_GATES = {Notice.About.ARCHIVE_COMING: ARCHIVAL, Notice.About.PURGE_COMING: PURGE}


@dataclass(frozen=True, slots=True)
class Planned:
    """The earliest days (UTC) on which one account is archived and purged.

    `archive_on` is None once it is archived. `purge_on` is put off by released holds, and to the day of the last
    account that it was payer of record of. It is None while a hold is open, while such an account has no day, or if no
    retention rule is known. `holds` are the types of the open holds, `kept_for` is the name of such an account.
    """

    account: BillingAccount
    archive_on: date | None
    purge_on: date | None
    holds: tuple[str, ...]
    kept_for: str = ""

    def due(self, on: date) -> str:
        """Return what the tasks do with the account on the day `on`: `Archive`, `Purge`, `Held`, or the empty text."""
        if self.archive_on:
            return "Archive" if self.archive_on <= on else ""
        if self.holds:
            return "Held"
        return "Purge" if self.purge_on and self.purge_on <= on else ""


def planned(account: BillingAccount, on: date) -> Planned:
    """Return the plan of a closed or archived account, by the rules in force on the day `on` (UTC)."""
    holds = sorted(account.holds.all(), key=lambda hold: hold.pk)
    still_open = tuple(hold.type for hold in holds if hold.released_at is None)
    day = _own_day(account, on)
    for paid in payers.paid_for(account) if day else ():
        last = _own_day(paid, on)
        if last is None:
            return Planned(account, archive_on(account), None, still_open, paid.name)
        day = max(day, last) if day else None
    return Planned(account, archive_on(account), day, still_open)


def _own_day(account: BillingAccount, on: date) -> date | None:
    """Return the day of `planned` as it is without accounts that the account paid for."""
    # a longer retention of newer rules applies; a shorter one does not shorten the date set at archival
    day = max((day for day in (account.purge_on, purge_on(account, on)) if day), default=None)
    released = [hold.released_at and hold.released_at.date() for hold in account.holds.all()]
    return rules.purge_date_after_holds(day, released) if day else None


def plan(on: date, organization: str = "") -> Iterator[Planned]:
    """Yield the plan of every closed or archived account (of one organization) not purged yet. Writes nothing."""
    accounts = BillingAccount.objects.filter(phase__in=BillingAccount.READ_ONLY, pseudonymised_on=None)
    if organization:
        accounts = accounts.filter(organization__name=organization)
    for account in (
        payers.with_relations(accounts)
        .select_related("organization")
        .prefetch_related("holds")
        .order_by("organization__name", "name")
        .iterator(CHUNK)
    ):
        yield planned(account, on)


def announce() -> int:
    """Queue the notices of archivals and purges in 30 and in 7 days, each once; return how many are new.

    After a missed run the notice is late; if both milestones have passed, only the notice of the nearer is queued.
    Raises `ClockWrong`: a mail cannot be recalled.
    """
    clock.refuse_wrong()
    today = timezone.now().date()
    announced = {about for about, gate in _GATES.items() if feature_gates.enabled(gate)}
    coming = [(each.account, *near) for each in plan(today) if (near := _near(each, today))]
    queued = 0
    for account, about, day, milestone in coming:
        if about not in announced:
            continue
        with audit.transaction():
            queued += outbox.queue_retention(about, account, day, milestone)
    return queued


def _near(upcoming: Planned, today: date) -> tuple[Notice.About, date, int] | None:
    if upcoming.archive_on:
        about, day = Notice.About.ARCHIVE_COMING, upcoming.archive_on
    elif upcoming.purge_on:
        about, day = Notice.About.PURGE_COMING, upcoming.purge_on
    else:
        return None
    left = (day - today).days
    milestone = next((days for days in MILESTONES if 0 < left <= days), None)
    return (about, day, milestone) if milestone else None
