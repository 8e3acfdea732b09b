"""Purge archived accounts at the end of their retention: personal data are removed, the ledger stays."""

from datetime import date
from itertools import chain
from uuid import UUID

import structlog
from django.db.models import CharField, Model, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.features import PURGE
from billing.models import Announcement, BillingAccount, Notice, NoticeOutcome, PayerChangeItem
from billing.services.retention import archival, bundles, plans
from billing.services.retention.pseudonyms import PURGED, personal, pseudonym, redact
from milo import audit, clock, feature_gates
from milo.access import Actor
from milo.errors import Conflict, Invalid
from milo.ledger import redactions
from milo.ledger.rows import purged_address
from milo.outages import DiskFull

log = structlog.get_logger(__name__)
PURGER = Actor.system("retention")


def purge(account_id: int, *, actor: Actor) -> BillingAccount:
    """Pseudonymize the personal data of an archived account, in its bundle and, in one transaction, in all its rows.

    The order makes a crash harmless: verify the old bundle; write and verify one without personal data beside it;
    change the rows and the digest in one transaction; delete the old bundle. Before the commit nothing is lost, and
    after it a repeat deletes what is left. Raises `Invalid` before its day, while a hold is open, or in another phase;
    `ClockWrong`; `FeatureDisabled`; `Conflict` if the account changed meanwhile; `bundles.BundleDamaged` if the old
    bundle is not the one that was archived; and whatever the storage raises.
    """
    account = BillingAccount.objects.select_related("organization").get(pk=account_id)
    today = timezone.now().date()
    _refuse_early(account, today)
    seen = bundles.newest(account)
    bundles.verify(account, account.archive_sha256)
    digest = bundles.write(account, redact)
    with audit.transaction():
        account = BillingAccount.objects.locked().select_related("organization").get(pk=account_id)
        _refuse_early(account, today)
        if bundles.newest(account) != seen:
            raise Conflict(_("billing account %(name)s changed while it was purged") % {"name": account.name})
        account.archive_sha256, account.pseudonymised_on = digest, today
        redactions.redact(_subjects(account), actor=actor, why="the retention of personal data has ended")
        _pseudonymise(account)
        # generated: one digest in some 2,000 would pass for a card number
        audit.save_as(actor, account, reason="PersonalDataPurged", why=f"bundle sha256:{digest}", generated=True)
        for model in (model for model in bundles.LEDGER.values() if model is not BillingAccount):
            for row in model._default_manager.filter(account_id=account.pk).order_by("pk").iterator():
                if _pseudonymise(row):
                    audit.save_as(actor, row, reason="PersonalDataPurged")
        _pseudonymise_notices(account, actor)
    bundles.delete_strays(account)
    return account


def _subjects(account: BillingAccount) -> list[UUID]:
    """Return the uids of the account and of its objects, whose history is redacted."""
    models = (model for model in bundles.LEDGER.values() if model is not BillingAccount)
    belonging = (model._default_manager.filter(account_id=account.pk).values_list("uid", flat=True) for model in models)
    return [account.uid, *chain.from_iterable(belonging)]


def _refuse_early(account: BillingAccount, on: date) -> None:
    clock.refuse_wrong()
    feature_gates.require(PURGE)
    if account.phase != BillingAccount.Phase.ARCHIVED or account.pseudonymised_on:
        raise Invalid(_("only an archived account whose data were not purged yet is purged"))
    planned = plans.planned(account, on)
    if planned.holds:
        raise Invalid(_("a hold is open: %(holds)s") % {"holds": ", ".join(planned.holds)})
    if planned.kept_for:
        message = _("it was payer of record of %(account)s, whose data are kept")
        raise Invalid(message % {"account": planned.kept_for})
    if account.purge_on is None or planned.purge_on is None:
        raise Invalid(_("the account has no purge date"))
    if on < planned.purge_on:
        raise Invalid(_("it is purged on %(day)s at the earliest") % {"day": planned.purge_on})


def _pseudonymise(row: Model) -> bool:
    changed = False
    for column in personal(type(row)):
        before = getattr(row, column)
        setattr(row, column, pseudonym(before))
        changed |= getattr(row, column) != before
    return changed


def _pseudonymise_notices(account: BillingAccount, actor: Actor) -> None:
    """Remove recipients and texts from the notices of the account, and make pending ones Dead, so that none is sent."""
    notices = Notice.objects.filter(account=account)
    pending, dead = notices.filter(phase=Notice.Phase.PENDING).select_for_update(of=("self",)), Notice.Phase.DEAD
    NoticeOutcome.objects.bulk_create(
        NoticeOutcome(notice=notice, phase=dead, at=timezone.now(), attempts=notice.attempts, actor=actor.name)
        for notice in pending
    )
    notices.filter(phase=Notice.Phase.PENDING).update(phase=dead, claimed_until=None)
    # an address of its own for each row: cause and recipient are unique
    before, after = purged_address("|").split("|")
    address = Concat(Value(before), Cast("pk", CharField()), Value(after))
    notices.update(recipient=address, context={})
    notices.exclude(last_error="").update(last_error=PURGED)
    Announcement.objects.filter(account=account).exclude(message="").update(message="")
    PayerChangeItem.objects.filter(change__account=account).exclude(message="").update(message=PURGED)


def purge_due() -> int:
    """Purge every account whose day has come, and return how many.

    A refusal is written to the account's history, once for as long as it is the same. Any other failure is logged; the
    other accounts go on. Raises `ClockWrong`, and `DiskFull`, which the others would meet too.
    """
    clock.refuse_wrong()
    today, done = timezone.now().date(), 0
    if not feature_gates.enabled(PURGE):
        return done
    _date(today)
    for account_id in list(_due(today).values_list("pk", flat=True)):
        try:
            purge(account_id, actor=PURGER)
            done += 1
        except DiskFull:
            log.error("purge_failed", account=account_id)
            # makes room
            _finish_interrupted()
            raise
        except (Invalid, Conflict, bundles.BundleDamaged) as refusal:
            _note(account_id, str(refusal))
        except Exception:
            # a storage may raise anything
            log.exception("purge_failed", account=account_id)
    _finish_interrupted()
    return done


def _finish_interrupted() -> None:
    """Delete bundles with personal data that a crash has left behind."""
    for account in BillingAccount.objects.exclude(pseudonymised_on=None).select_related("organization").iterator():
        try:
            bundles.delete_strays(account)
        except Exception:
            # a storage may raise anything
            log.exception("purge_unfinished", account=account.pk)


def _due(on: date) -> QuerySet[BillingAccount]:
    archived = BillingAccount.objects.filter(phase=BillingAccount.Phase.ARCHIVED, pseudonymised_on=None)
    return archived.filter(purge_on__lte=on).order_by("pk")


def _date(on: date) -> None:
    """Set the purge date of accounts archived without one, and postpone it if newer rules ask for longer retention."""
    archived = BillingAccount.objects.filter(phase=BillingAccount.Phase.ARCHIVED, pseudonymised_on=None)
    for account_id in list(archived.filter(Q(purge_on=None) | Q(purge_on__lte=on)).values_list("pk", flat=True)):
        try:
            _date_one(account_id, on)
        except Exception:
            log.exception("purge_date_failed", account=account_id)


def _date_one(account_id: int, on: date) -> None:
    clock.refuse_wrong()
    with audit.transaction():
        account = BillingAccount.objects.locked().get(pk=account_id)
        day = archival.purge_on(account, on)
        if day and (account.purge_on is None or day > account.purge_on):
            account.purge_on = day
            audit.save_as(PURGER, account, reason="PurgeDateSet", why=str(day))


def _note(account_id: int, why: str) -> None:
    with audit.transaction():
        account = BillingAccount.objects.locked().get(pk=account_id)
        newest = account.history.order_by("-history_id").first()
        if newest and (newest.history_change_reason, newest.history_change_message) != ("PurgePostponed", why):
            # generated: the refusal may name a file by its digest
            audit.save_as(PURGER, account, reason="PurgePostponed", why=why, generated=True)
