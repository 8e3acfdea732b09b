"""Make due plans facts, from the planned month on even if it is late; what no longer holds fails, with every cause."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import structlog
from django.db import transaction as database
from django.utils.translation import gettext as _

from billing.models import BillingAccount, BillingAccountAffiliation
from billing.models.affiliation import BillingAccountAffiliationQuerySet
from billing.models.usage_partitions import next_month
from billing.services import accounts
from billing.services.affiliations import notices, payers, rules
from billing.services.affiliations.locks import lock_hierarchy
from billing.services.affiliations.proposals import propose
from billing.services.affiliations.specs import present_month
from billing.services.affiliations.trees import Relation, Tree
from milo import audit, clock
from milo.access import Actor

log = structlog.get_logger(__name__)
WORKER = Actor.system("affiliations")


def sentence(affiliation: BillingAccountAffiliation) -> str:
    """Return what an affiliation says, for the ledger: in one language, not in the actor's."""
    with audit.ledger_language():
        names = {"account": affiliation.account.name, "month": f"{affiliation.effective_from:%Y-%m}"}
        if affiliation.parent is None:
            return _("%(account)s stands alone from %(month)s on") % names
        message = _("%(account)s is under %(parent)s from %(month)s on, payer %(payer)s")
        return message % {**names, "parent": affiliation.parent.name, "payer": affiliation.payer}


def concerned_by(organization_id: int, account_id: int) -> set[int]:
    """Return the accounts whose manifests an act on the affiliation of one changes: its subtree, and its parent."""
    tree = Tree(relations=_present(organization_id))
    parent = tree.parent(account_id)
    return {*tree.subtree(account_id), *([parent] if parent else [])}


def _present(organization_id: int) -> dict[int, Relation]:
    active = BillingAccountAffiliation.objects.active().filter(organization=organization_id)
    columns = ("account", "parent", "payer", "effective_from")
    return {
        account: Relation(account, parent, payer == BillingAccountAffiliation.Payer.PARENT, start, None)
        for account, parent, payer, start in active.values_list(*columns)
    }


def activate(
    affiliation: BillingAccountAffiliation,
    child: BillingAccount,
    parent: BillingAccount | None,
    *,
    actor: Actor,
) -> None:
    """Make a plan a fact, and rewrite who is payer of record of the account and of all below it.

    The caller holds the locks of the hierarchy, of the accounts of `concerned_by`, and of the parent, and has asked
    `rules.causes`.
    """
    organization_id = affiliation.organization_id
    concerned = concerned_by(organization_id, child.pk) | ({parent.pk} if parent else set())
    active = BillingAccountAffiliation.objects.active().filter(account=child).first()
    at = audit.ledger_time(affiliation)
    if active:
        active.supersede(affiliation.effective_from, at)
        audit.save_as(actor, active, reason="AffiliationSuperseded", why=f"by {affiliation.name}")
    affiliation.activate(at, active)
    why = sentence(affiliation)
    audit.save_as(actor, affiliation, reason="AffiliationActive", why=why)
    _follow(organization_id, concerned, child, why, actor)


def _follow(organization_id: int, concerned: set[int], child: BillingAccount, why: str, actor: Actor) -> None:
    """Write what follows of the affiliations of an organization on the accounts concerned; `child` may become Ready."""
    present = payers.rewrite(organization_id)
    rows = list(BillingAccount.objects.locked().filter(pk__in=concerned | present.keys()))
    payers.put_on(rows, present, why=why, actor=actor)
    child.paid_by_id = next(row.paid_by_id for row in rows if row.pk == child.pk)
    if child.phase in (BillingAccount.Phase.PROVISIONING, BillingAccount.Phase.INCOMPLETE):
        # profile and terms are those of its payer of record now
        accounts.validate_locked(next(row for row in rows if row.pk == child.pk), actor)


def end_with_account(account: BillingAccount, *, actor: Actor) -> None:
    """End the affiliation of `account`, which is archived in the same transaction, and cancel what is planned for it.

    The caller holds the locks of the hierarchy and of `concerned_by`.
    """
    with audit.ledger_language():
        why = _("account %(name)s was archived") % {"name": account.name}
    for plan in BillingAccountAffiliation.objects.scheduled().filter(account=account):
        plan.cancel(audit.ledger_time(plan), why)
        audit.save_as(actor, plan, reason="AffiliationCancelled", why=why)
    active = BillingAccountAffiliation.objects.active().filter(account=account).first()
    if active is None:
        return
    concerned = concerned_by(account.organization_id, account.pk)
    active.end(next_month(present_month()), audit.ledger_time(active))
    audit.save_as(actor, active, reason="AffiliationEnded", why=why)
    _follow(account.organization_id, concerned, account, why, actor)


def settle(affiliation_id: int) -> bool:
    """Make one due plan a fact, or record why it cannot be; return whether it was still due.

    Raises `ClockWrong`.
    """
    plan = BillingAccountAffiliation.objects.only("organization_id", "account_id", "parent_id").get(pk=affiliation_id)
    with audit.transaction(), audit.ledger_language():
        lock_hierarchy(plan.organization_id)
        concerned = concerned_by(plan.organization_id, plan.account_id) | {plan.account_id}
        if plan.parent_id:
            payers_above = BillingAccount.objects.filter(pays_for_accounts=plan.parent_id)
            concerned |= {plan.parent_id, *payers_above.values_list("pk", flat=True)}
        rows = BillingAccount.objects.locked().filter(pk__in=concerned).in_bulk()
        affiliation = BillingAccountAffiliation.objects.locked().get(pk=affiliation_id)
        if affiliation.phase != BillingAccountAffiliation.Phase.SCHEDULED:
            return False
        child, parent = rows[affiliation.account_id], rows.get(affiliation.parent_id or 0)
        affiliation.account, affiliation.parent = child, parent
        paid_by_parent = affiliation.payer == BillingAccountAffiliation.Payer.PARENT
        proposed = propose(child, parent, paid_by_parent, affiliation.effective_from)
        causes = rules.fact_causes(affiliation, proposed)
        if not causes:
            activate(affiliation, child, parent, actor=WORKER)
            return True
        why = "; ".join(cause.message for cause in causes[: rules.LISTED])
        affiliation.fail(audit.ledger_time(affiliation), why)
        audit.save_as(WORKER, affiliation, reason="AffiliationFailed", why=why)
        notices.queue_failure(affiliation)
        return True


def make_due_facts(organization_id: int) -> None:
    """Settle every plan of the organization that is due, in the order of their months.

    Call it before the locks of the caller: it uses transactions of its own. A dry run could not keep them, see
    `transaction`. Raises `Beforehand` inside a transaction.
    """
    if audit.is_dry_run():
        return
    if due := _keys(_due(organization_id)):
        audit.beforehand(partial(_settle_all, due))


@contextmanager
def transaction(organization_id: int) -> Iterator[None]:
    """Open the transaction of an act after every due plan of the organization has become a fact."""
    make_due_facts(organization_id)
    with audit.transaction():
        settle_in_dry_run(organization_id)
        yield


def settle_in_dry_run(organization_id: int) -> None:
    """Settle in the transaction of a dry run, which rolls it back, what `make_due_facts` has left.

    Call it before the locks of the caller. All accounts are locked at once: those of one plan after another would be
    out of order.
    """
    if audit.is_dry_run() and (due := _keys(_due(organization_id))):
        lock_hierarchy(organization_id)
        list(BillingAccount.objects.locked().filter(organization=organization_id).values_list("pk"))
        _settle_all(due, _settle_in_savepoint)


def _settle_in_savepoint(affiliation_id: int) -> bool:
    with database.atomic():
        return settle(affiliation_id)


def _settle_all(affiliations: Sequence[int], act: Callable[[int], bool] = settle) -> None:
    _count, failures = _settled(affiliations, act)
    for failure in failures.values():
        raise failure


def _settled(affiliations: Sequence[int], act: Callable[[int], bool] = settle) -> tuple[int, dict[int, Exception]]:
    """Settle plans; return how many were still due, and the failures of those that cannot be settled.

    One may have to wait for another of its month, such as that of an account that leaves the one that comes under it:
    what failed is tried again after the others, for as long as any succeeds.
    """
    count = 0
    while True:
        failures: dict[int, Exception] = {}
        for affiliation_id in affiliations:
            try:
                count += act(affiliation_id)
            except Exception as failure:
                # what a guard refuses that no rule foresaw must not hold up the other plans
                failures[affiliation_id] = failure
        if not failures or len(failures) == len(affiliations):
            return count, failures
        affiliations = list(failures)


def _keys(due: BillingAccountAffiliationQuerySet) -> list[int]:
    return list(due.order_by("effective_from", "pk").values_list("pk", flat=True))


def refuse_due(organization_id: int) -> None:
    """Raise `Beforehand` if a plan of the organization became due since `make_due_facts`."""
    if audit.is_dry_run():
        return
    if due := _keys(_due(organization_id)):
        raise audit.Beforehand(partial(_settle_all, due), _("an affiliation takes effect at this moment; try again"))


def _due(organization_id: int | None = None) -> BillingAccountAffiliationQuerySet:
    due = BillingAccountAffiliation.objects.due(present_month())
    return due.filter(organization=organization_id) if organization_id is not None else due


def activate_due() -> int:
    """Settle every plan that is due, and return how many. Raises `ClockWrong`.

    A plan that cannot be settled is logged and left for the next run.
    """
    clock.refuse_wrong()
    count, failures = _settled(_keys(_due()))
    for affiliation_id, failure in failures.items():
        log.error("affiliation_stuck", affiliation=affiliation_id, exc_info=failure)
    return count
