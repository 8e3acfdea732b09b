"""Whether what is planned will take effect: the condition `WillTakeEffect`, in the change log too."""

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from billing.models import BillingAccountAffiliation
from billing.services.affiliations import notices, rules
from billing.services.affiliations.proposals import propose
from milo import audit, clock
from milo.access import Actor

FORESIGHT = Actor.system("affiliation-conditions")
_MILESTONES = (1, 7)
"""Days before the month at which people are told that a plan will not take effect."""


def obstacle(affiliation: BillingAccountAffiliation) -> str:
    """Return why a plan would fail as things are now; empty if it would take effect."""
    with audit.ledger_language():
        paid_by_parent = affiliation.payer == BillingAccountAffiliation.Payer.PARENT
        proposed = propose(affiliation.account, affiliation.parent, paid_by_parent, affiliation.effective_from)
        return "; ".join(cause.message for cause in rules.fact_causes(affiliation, proposed)[: rules.LISTED])


def foresee() -> int:
    """Write to the change log which plans will take effect no more, or again, and return how many changed.

    Then queue notices of those near their month that will not. Raises `ClockWrong`.
    """
    clock.refuse_wrong()
    plans = BillingAccountAffiliation.objects.scheduled().select_related("account", "parent")
    changed = 0
    for plan in plans.order_by("pk"):
        why = obstacle(plan)
        if why != plan.obstacle:
            changed += _write(plan.pk, why)
        if why:
            plan.obstacle = why
            _remind(plan)
    return changed


def _write(affiliation_id: int, why: str) -> bool:
    with audit.transaction():
        plan = BillingAccountAffiliation.objects.locked().get(pk=affiliation_id)
        if plan.phase != BillingAccountAffiliation.Phase.SCHEDULED or plan.obstacle == why:
            return False
        if bool(plan.obstacle) != bool(why):
            plan.obstacle_since = audit.ledger_time(plan)
        plan.obstacle = why
        audit.save_as(FORESIGHT, plan, reason="AffiliationAtRisk" if why else "AffiliationOnTrack", why=why)
        return True


def _remind(plan: BillingAccountAffiliation) -> None:
    start = datetime(plan.effective_from.year, plan.effective_from.month, 1, tzinfo=UTC)
    now = timezone.now()
    days = next((days for days in _MILESTONES if now < start <= now + timedelta(days=days)), None)
    if days:
        with audit.transaction():
            notices.queue_risk(plan, days)
