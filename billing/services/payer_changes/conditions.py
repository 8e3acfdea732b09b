"""Whether what is planned will take effect: the condition `WillTakeEffect`, in the change log too."""

from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone, translation

from billing.models import BillingAccount, PayerChange
from billing.services import payers_of_record
from billing.services.accounts import not_ready
from billing.services.payer_changes import notices
from milo import audit, clock
from milo.access import Actor

FORESIGHT = Actor.system("payer-change-conditions")
_MILESTONES = (1, 7)
"""Days before the instant at which people are told that a plan will not take effect."""


def obstacle(account: BillingAccount) -> str:
    """Return why no project can move to `account` as it is now; empty if they can."""
    # the ledger is written in one language, not in the actor's
    with translation.override(settings.LANGUAGE_CODE):
        cause = not_ready(account) or payers_of_record.not_ready(account)
        return cause.message if cause else ""


def foresee() -> int:
    """Write to the change log which plans will take effect no more, or again, and return how many changed."""
    by_itself = Q(account__paid_by=None) | Q(account__paid_by__phase=BillingAccount.Phase.READY)
    ready = Q(account__phase=BillingAccount.Phase.READY) & by_itself
    doubtful = PayerChange.objects.open().filter(~ready | ~Q(obstacle="")).select_related("account")
    changed = [each.pk for each in doubtful.order_by("pk") if each.obstacle != obstacle(each.account)]
    for change_id in changed:
        with audit.transaction():
            change = PayerChange.objects.locked().select_related("account").get(pk=change_id)
            before, change.obstacle = change.obstacle, obstacle(change.account)
            if change.phase not in PayerChange.OPEN or change.obstacle == before:
                continue
            reason = "PayerChangeAtRisk" if change.obstacle else "PayerChangeOnTrack"
            audit.save_as(FORESIGHT, change, reason=reason, why=change.obstacle)
    return len(changed)


def remind() -> int:
    """Queue notices of plans near their instant that will not take effect, and return how many are new.

    Raises `ClockWrong`.
    """
    clock.refuse_wrong()
    now = timezone.now()
    near = PayerChange.objects.open().filter(effective_at__lte=now + timedelta(days=max(_MILESTONES)))
    doubtful = near.filter(effective_at__gt=now).exclude(account__phase=BillingAccount.Phase.READY)
    queued = 0
    for change in doubtful.select_related("account").order_by("pk"):
        days = next(days for days in _MILESTONES if change.effective_at <= now + timedelta(days=days))
        with audit.transaction():
            queued += notices.queue_risk(change, days)
    return queued
