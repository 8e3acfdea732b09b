"""Take up the failed projects of a payer change again, effective then."""

from django.utils.translation import gettext as _

from billing.access import PAYER_CHANGES, RETRY
from billing.models import BillingAccount, BillingAccountBinding, PayerChange, PayerChangeItem
from billing.services.payer_changes import conditions, facts, moves, plans
from billing.services.payer_changes.creation import OF_A_USER, may_move_many
from milo import audit
from milo.access import Actor
from milo.compiled_queries import Update
from milo.errors import Cause, Forbidden, Invalid
from projects.models import Project

_TAKEN_UP = Update(PayerChangeItem, "phase", "effective_at", "settled_at", "reason", "message")


def retry(change_id: int, *, reason: str, actor: Actor) -> PayerChange:
    """Make the failed items of a payer change pending, effective from now on: nothing is backdated.

    Raises `Forbidden`; `Invalid` without a reason, for a change without a failed item or one that goes on, for a
    target that is Closed or Archived, and for projects that another payer change will move.
    """
    with audit.transaction():
        change = PayerChange.objects.select_related("organization").get(pk=change_id)
        actor.require("create", PAYER_CHANGES, change.organization_id, action=RETRY)
        if causes := plans.reason_causes(reason):
            raise Invalid.because(causes)
        failed = PayerChangeItem.objects.filter(change=change, phase=PayerChangeItem.Phase.FAILED)
        projects = Project.objects.locked().filter(pk__in=list(failed.values_list("project", flat=True))).in_bulk()
        if len(projects) > OF_A_USER and not may_move_many(actor, change.organization_id):
            message = _("%(actor)s may move at most %(limit)s projects by one payer change")
            raise Forbidden(message % {"actor": actor.name, "limit": OF_A_USER})
        account = facts.lock_payers(projects, besides=[change.account_id])[change.account_id]
        change = PayerChange.objects.locked().get(pk=change_id)
        _refuse(change, account, projects)
        paying = BillingAccountBinding.objects.paying().filter(project__in=list(projects))
        at = moves.present(account, paying.values_list("established_at", flat=True))
        items = list(failed)
        for item in items:
            item.take_up_again(at)
        _TAKEN_UP(items)
        change.retry()
        change.obstacle = conditions.present_obstacle(change, account)
        return audit.save_as(actor, change, reason="PayerChangeRetried", why=reason)


def _refuse(change: PayerChange, account: BillingAccount, projects: dict[int, Project]) -> None:
    if change.phase in PayerChange.OPEN:
        message = _("payer change %(name)s is %(phase)s: wait until it has ended")
        raise Invalid(message % {"name": change.name, "phase": change.phase})
    if change.phase not in PayerChange.RETRIABLE:
        message = _("nothing of payer change %(name)s can be taken up again, since it is %(phase)s: write another one")
        raise Invalid(message % {"name": change.name, "phase": change.phase})
    if account.phase in BillingAccount.READ_ONLY:
        message = _("billing account %(name)s is %(phase)s: write another payer change")
        raise Invalid(message % {"name": account.name, "phase": account.phase})
    planned = plans.open_items(projects)
    if planned:
        causes = [Cause("spec", plans.refusal(item)) for item in planned.values()]
        raise Invalid.because(causes[:100], _("another payer change is planned"))
