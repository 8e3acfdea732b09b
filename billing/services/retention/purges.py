"""Purging: at the end of its retention an archived account loses its personal data and keeps its ledger."""

from datetime import date
from itertools import chain
from uuid import UUID

import structlog
from django.db.models import CharField, Model, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import Announcement, BillingAccount, Notice, NoticeOutcome
from billing.services.retention import archival, bundles, plans
from billing.services.retention.pseudonyms import PURGED, personal, pseudonym, redact
from milo import audit
from milo.access import Actor
from milo.errors import Conflict, Invalid
from milo.ledger import redactions
from milo.ledger.rows import purged_address

log = structlog.get_logger(__name__)
PURGER = Actor.system("retention")


def purge(account_id: int, *, actor: Actor) -> BillingAccount:
    """Pseudonymise the personal data of an archived account, in the live rows in one act and in the bundle.

    The bundle without personal data is written and verified first, beside the old one, which is deleted last: up to
    the act nothing is lost, and after it a repeat deletes what is left. Raises `Invalid` before its day, while a hold
    is open, or in another phase, `Conflict` where the account changed meanwhile, `bundles.Broken` where the bundle is
    not the one that was archived, and whatever the storage raises.
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
        audit.save_as(actor, account, reason="PersonalDataPurged", why=f"bundle sha256:{digest}")
        for model in (model for model in bundles.LEDGER.values() if model is not BillingAccount):
            for row in model._default_manager.filter(account_id=account.pk).order_by("pk").iterator():
                if _pseudonymise(row):
                    audit.save_as(actor, row, reason="PersonalDataPurged")
        _pseudonymise_notices(account, actor)
    bundles.delete_strays(account)
    return account


def _subjects(account: BillingAccount) -> list[UUID]:
    """The account and all that belongs to it, whose past loses its personal data too."""
    models = (model for model in bundles.LEDGER.values() if model is not BillingAccount)
    belonging = (model._default_manager.filter(account_id=account.pk).values_list("uid", flat=True) for model in models)
    return [account.uid, *chain.from_iterable(belonging)]


def _refuse_early(account: BillingAccount, on: date) -> None:
    if account.phase != BillingAccount.Phase.ARCHIVED or account.pseudonymised_on:
        raise Invalid(_("only an archived account whose data were not purged yet is purged"))
    found = plans.planned(account, on)
    if found.holds:
        raise Invalid(_("a hold is open: %(holds)s") % {"holds": ", ".join(found.holds)})
    if account.purge_on is None or found.purge_on is None:
        raise Invalid(_("the account has no purge date"))
    if on < found.purge_on:
        raise Invalid(_("it is purged on %(day)s at the earliest") % {"day": found.purge_on})


def _pseudonymise(row: Model) -> bool:
    changed = False
    for column in personal(type(row)):
        before = getattr(row, column)
        setattr(row, column, pseudonym(before))
        changed |= getattr(row, column) != before
    return changed


def _pseudonymise_notices(account: BillingAccount, actor: Actor) -> None:
    """No notice says to whom it went, and none that is owed still goes out."""
    owed = Notice.objects.filter(account=account)
    pending, dead = owed.filter(phase=Notice.Phase.PENDING).select_for_update(of=("self",)), Notice.Phase.DEAD
    NoticeOutcome.objects.bulk_create(
        NoticeOutcome(notice=notice, phase=dead, at=timezone.now(), attempts=notice.attempts, actor=actor.name)
        for notice in pending
    )
    owed.filter(phase=Notice.Phase.PENDING).update(phase=dead, claimed_until=None)
    # one address a row, or two receipts of one cause would be the same
    before, after = purged_address("|").split("|")
    address = Concat(Value(before), Cast("pk", CharField()), Value(after))
    owed.update(recipient=address, context={})
    owed.exclude(last_error="").update(last_error=PURGED)
    Announcement.objects.filter(account=account).exclude(message="").update(message="")


def purge_due() -> int:
    """Purge every account whose day has come; returns how many.

    What stands in the way is written into the account's history, once for as long as it is the same.
    """
    today, done = timezone.now().date(), 0
    _date(today)
    for account_id in list(_due(today).values_list("pk", flat=True)):
        try:
            purge(account_id, actor=PURGER)
            done += 1
        except (Invalid, Conflict, bundles.BundleDamaged) as refusal:
            _note(account_id, str(refusal))
        except Exception:
            # a storage may fail in ways of its own
            log.exception("purge_failed", account=account_id)
    _finish_interrupted()
    return done


def _finish_interrupted() -> None:
    """Delete the bundles with personal data that a crash has left beside those without."""
    for account in BillingAccount.objects.exclude(pseudonymised_on=None).select_related("organization").iterator():
        try:
            bundles.delete_strays(account)
        except Exception:
            # a storage may fail in ways of its own
            log.exception("purge_unfinished", account=account.pk)


def _due(on: date) -> QuerySet[BillingAccount]:
    archived = BillingAccount.objects.filter(phase=BillingAccount.Phase.ARCHIVED, pseudonymised_on=None)
    return archived.filter(purge_on__lte=on).order_by("pk")


def _date(on: date) -> None:
    """Date what was archived while no country was known, and put off what the law has come to keep longer."""
    archived = BillingAccount.objects.filter(phase=BillingAccount.Phase.ARCHIVED, pseudonymised_on=None)
    for account_id in list(archived.filter(Q(purge_on=None) | Q(purge_on__lte=on)).values_list("pk", flat=True)):
        try:
            _date_one(account_id, on)
        except Exception:
            log.exception("purge_date_failed", account=account_id)


def _date_one(account_id: int, on: date) -> None:
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
            audit.save_as(PURGER, account, reason="PurgePostponed", why=why)
