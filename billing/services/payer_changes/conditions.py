"""Whether what is planned will take effect: the condition `WillTakeEffect`, in the change log too.

A plan is judged by the rules of the bind that it becomes: those of its new payer, and those of each of its projects.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import BillingAccount, BillingAccountBinding, PayerChange, PayerChangeItem
from billing.models.payer_change import AT_RISK
from billing.services import payers_of_record
from billing.services.accounts import not_ready
from billing.services.handovers import project_causes
from billing.services.locked_payers import why_locked
from billing.services.payer_changes import notices
from billing.services.payer_changes.moves import Refusal, changed_since, refusal_reason
from milo import audit, clock
from milo.access import Actor

FORESIGHT = Actor.system("payer-change-conditions")
_MILESTONES = (1, 7)
"""Days before the instant at which people are told that a plan will not take effect."""


def obstacle(account: BillingAccount, immovable: int = 0) -> str:
    """Return why not every project will move to `account` as things are; empty if all will.

    `immovable` is the number of projects of the plan that would fail whatever the account is.
    """
    with audit.ledger_language():
        if cause := not_ready(account) or payers_of_record.not_ready(account):
            return cause.message
        message = _("%(number)d projects cannot move as things are: the subresource preview names them")
        return message % {"number": immovable} if immovable else ""


def refusals(items: Sequence[PayerChangeItem], account: BillingAccount) -> dict[int, Refusal]:
    """Return why pending items, with their projects, would fail now if `account` were Ready, by primary key."""
    keys = [item.project_id for item in items]
    paying = BillingAccountBinding.objects.paying().filter(project__in=keys)
    actives = {binding.project_id: binding for binding in paying}
    locked = why_locked(keys)
    refused = {}
    for item in items:
        active, lock = actives.get(item.project_id), locked.get(item.project_id, "")
        if causes := project_causes(item.project, account, active, locked=lock):
            message = "; ".join(cause.message for cause in causes)
            refused[item.pk] = Refusal(refusal_reason(item.project, None, locked=lock), message)
        elif active and active.established_at >= item.effective_at:
            refused[item.pk] = changed_since()
    return refused


def foresee() -> int:
    """Write to the change log which plans will take effect no more, or again, and return how many changed."""
    foreseen = PayerChange.objects.open().foreseen().select_related("account")
    doubtful = foreseen.filter(AT_RISK | ~Q(obstacle="")).order_by("pk")
    changed = [each.pk for each in doubtful if each.obstacle != obstacle_of(each)]
    for change_id in changed:
        with audit.transaction():
            change = PayerChange.objects.locked().select_related("account").get(pk=change_id)
            before, change.obstacle = change.obstacle, present_obstacle(change, change.account)
            if change.phase not in PayerChange.OPEN or change.obstacle == before:
                continue
            reason = "PayerChangeAtRisk" if change.obstacle else "PayerChangeOnTrack"
            audit.save_as(FORESIGHT, change, reason=reason, why=change.obstacle)
    return len(changed)


def present_obstacle(change: PayerChange, account: BillingAccount) -> str:
    """Return the obstacle of a change that is locked, whose new payer is `account`; its projects are counted anew."""
    return obstacle(account, PayerChangeItem.objects.immovable().filter(change=change).count())


def obstacle_of(change: PayerChange) -> str:
    """Return why not every project of `change`, a row of `foreseen`, will move; empty if all will."""
    return obstacle(change.account, change.immovable)  # type: ignore[attr-defined]


def remind() -> int:
    """Queue notices of plans near their instant that will not take effect, and return how many are new.

    Raises `ClockWrong`.
    """
    clock.refuse_wrong()
    now = timezone.now()
    near = PayerChange.objects.filter(effective_at__lte=now + timedelta(days=max(_MILESTONES)), effective_at__gt=now)
    queued = 0
    for change in near.at_risk().select_related("account").order_by("pk"):
        days = next(days for days in _MILESTONES if change.effective_at <= now + timedelta(days=days))
        ready = not obstacle(change.account)
        with audit.transaction():
            queued += notices.queue_risk(change, days, change.immovable if ready else 0)  # type: ignore[attr-defined]
    return queued
