"""Archive closed accounts: write and verify a bundle first, and only then make the account Archived."""

from collections.abc import Iterator
from datetime import date, timedelta

import structlog
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.compliance import retention
from billing.compliance.dataset import data
from billing.features import ARCHIVAL
from billing.models import BillingAccount
from billing.services.affiliations import facts as affiliations
from billing.services.affiliations.locks import lock_hierarchy
from billing.services.notices import outbox
from billing.services.retention import bundles, payers
from milo import audit, clock, feature_gates
from milo.access import Actor
from milo.errors import Conflict, Invalid
from milo.ledger import inspections
from milo.outages import DiskFull

log = structlog.get_logger(__name__)
ARCHIVIST = Actor.system("archivist")
DAY = timedelta(days=1)


def archive_on(account: BillingAccount) -> date | None:
    """Return the first day (UTC) on which a Closed account is archived; None for any other.

    It is MILO_ARCHIVE_AFTER_DAYS after the closure, and never within the reopen window.
    """
    if account.phase != BillingAccount.Phase.CLOSED or account.closed_at is None:
        return None
    days = max(settings.MILO_ARCHIVE_AFTER_DAYS, settings.MILO_REOPEN_WINDOW_DAYS)
    return (account.closed_at + timedelta(days=days)).date() + DAY


def purge_on(account: BillingAccount, on: date) -> date | None:
    """Return the first day on which personal data of a closed account may be purged, by the rules in force `on` a day.

    Retention begins with the closure, the youngest record. Of the countries of seller, customer and payers of record,
    the longest retention applies. Return None while MILO_PLATFORM_COUNTRY names no country with known rules.
    """
    seller = settings.MILO_PLATFORM_COUNTRY
    if account.closed_at is None or data().jurisdiction(seller, on) is None:
        return None
    closed_on = account.closed_at.date()
    row = retention.longest([seller, account.country, *payers.payer_countries(account)], closed_on, on)
    return retention.purge_date(closed_on, retention.years_of(row), row.retention_start) if row else None


def archive(account_id: int, *, actor: Actor) -> BillingAccount:
    """Write and verify the bundle of a Closed account, then make the account Archived in one transaction.

    The bundle is written outside the transaction, because it may take minutes. Until the transaction commits the
    account is Closed, and a repeat writes another bundle; files of earlier attempts are deleted last. Raises `Invalid`
    before its day, in another phase, or while an account below is paid for through it; `ClockWrong`;
    `FeatureDisabled`; `Conflict` if the account changed while the bundle was written; `bundles.BundleDamaged`; and
    whatever the storage raises.
    """
    account = BillingAccount.objects.select_related("organization").get(pk=account_id)
    _refuse_early(account)
    seen = bundles.newest(account)
    digest = bundles.write(account)
    with audit.transaction():
        lock_hierarchy(account.organization_id)
        concerned = affiliations.concerned_by(account.organization_id, account_id)
        rows = BillingAccount.objects.locked().filter(pk__in=concerned).select_related("organization").in_bulk()
        account = rows[account_id]
        _refuse_early(account)
        if bundles.newest(account) != seen:
            raise Conflict(_("billing account %(name)s changed while it was archived") % {"name": account.name})
        account.archive(digest, purge_on(account, timezone.now().date()))
        # generated: one digest in some 2,000 would pass for a card number
        audit.save_as(actor, account, reason="BillingAccountArchived", why=f"bundle sha256:{digest}", generated=True)
        affiliations.end_with_account(account, actor=actor)
        outbox.queue_standing(account, actor=actor)
    bundles.delete_strays(account)
    return account


def _refuse_early(account: BillingAccount) -> None:
    clock.refuse_wrong()
    feature_gates.require(ARCHIVAL)
    due = archive_on(account)
    if due is None:
        raise Invalid(_("a %(phase)s account cannot be archived") % {"phase": account.phase})
    if timezone.now().date() < due:
        raise Invalid(_("it is archived on %(day)s at the earliest") % {"day": due})
    if through := payers.paid_through(account):
        message = _("%(name)s is paid for through it, and is %(phase)s: archive that first")
        raise Invalid(message % {"name": through.name, "phase": through.phase})


def archive_due() -> int:
    """Archive every account whose day has come, and return how many. A failure of one is logged; the others go on.

    Raises `ClockWrong`, and `DiskFull`, which the others would meet too.
    """
    clock.refuse_wrong()
    done = 0
    if not feature_gates.enabled(ARCHIVAL):
        return done
    # no account is closed before those under it: so these come first
    closed = BillingAccount.objects.filter(phase=BillingAccount.Phase.CLOSED).order_by("closed_at", "pk")
    for account in list(closed.only("pk", "phase", "closed_at")):
        due = archive_on(account)
        if due and due <= timezone.now().date():
            try:
                archive(account.pk, actor=ARCHIVIST)
                done += 1
            except DiskFull:
                log.error("archive_failed", account=account.pk)
                raise
            except Exception:
                # a storage may raise anything; the account stays Closed, and the next run tries again
                log.exception("archive_failed", account=account.pk)
    return done


def verify_all(organization: str = "") -> Iterator[tuple[BillingAccount, int, str]]:
    """Yield each archived account (of one organization), the rows of its bundle, and its fault, empty if there is none.

    Reads every bundle to its end. Writes nothing.
    """
    accounts = BillingAccount.objects.filter(phase=BillingAccount.Phase.ARCHIVED).select_related("organization")
    if organization:
        accounts = accounts.filter(organization__name=organization)
    for account in accounts.order_by("organization__name", "name").iterator():
        rows, wrong = 0, ""
        try:
            rows = bundles.verify(account, account.archive_sha256)
            if account.pseudonymised_on and bundles.strays(account):
                wrong = _("files with personal data are still there")
        except Exception as error:
            # a storage may raise anything
            wrong = str(error) or type(error).__name__
        yield account, rows, wrong


def inspect() -> int:
    """Verify every bundle, record the result, and return how many are missing or differ."""
    faults = [f"{account.organization.name}/{account.name}: {fault}" for account, _rows, fault in verify_all() if fault]
    record(faults)
    return len(faults)


def record(faults: list[str]) -> None:
    """Record the faults of all bundles as the result of the check `archive`, which metrics show."""
    inspections.record("archive", len(faults), "; ".join(faults[:3]))
