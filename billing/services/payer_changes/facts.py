"""Make due items facts: bindings that begin exactly at the planned instant, however late they are written.

Whatever changes the payer of a project, or whether it may move, or closes a month, calls this first, under the lock of
the project. Then nothing that is decided later stands in the ledger before what was due earlier.
"""

from collections.abc import Callable, Iterable
from functools import partial

import structlog
from django.db.models import Q
from django.db.models.functions import Mod
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import AccountPayer, BillingAccount, BillingAccountBinding, PayerChange, PayerChangeItem
from billing.models.payer_change_item import PayerChangeItemQuerySet
from billing.services.payer_changes import moves
from billing.services.usage import locks
from milo import audit, clock
from milo.errors import Unavailable
from projects.models import Project

log = structlog.get_logger(__name__)
BATCH = 25
"""Projects moved in one transaction at most, unless the change is atomic. Others wait for its locks meanwhile."""


def make_due_facts(projects: Iterable[int], *, accounts: Iterable[int] = ()) -> bool:
    """Make the due items of `projects` facts, in the caller's transaction; return whether there were any.

    `projects` and `accounts` are primary keys. The caller holds the locks of the projects and of no account yet;
    `accounts` are those that it locks next, so that all are locked here, in one order. An item that breaks a rule of
    binding fails, and its project keeps its payer. Raises `Unavailable` if another transaction holds a project of an
    atomic change, which moves as a whole.
    """
    at, projects = timezone.now(), set(projects)
    due = PayerChangeItem.objects.due(at)
    found = set(due.filter(project__in=projects).values_list("project", "change", "change__atomic"))
    if not found:
        return False
    together = {change for _project, change, atomic in found if atomic}
    moving = {project for project, _change, _atomic in found}
    moving |= set(due.filter(change__in=together).values_list("project", flat=True)) if together else set()
    # never waits: out of the order of primary keys, two that wait for one another would deadlock
    free = Project.objects.filter(pk__in=moving).select_for_update(no_key=True, of=("self",), skip_locked=True)
    payees = {project.pk: project for project in free}
    if len(payees) < len(moving):
        raise _takes_effect()
    moves.move(payees, at, besides=accounts)
    return True


def lock_payers(projects: Iterable[int], *, besides: Iterable[int]) -> dict[int, BillingAccount]:
    """Lock the payers of `projects` and the accounts `besides`, after what is due of the projects; return them by key.

    All are primary keys, and the caller holds the locks of the projects. Who plans a move from now on locks the payers
    that are left, too: a suspension of one would otherwise come later than the move, and not know of it.
    """
    projects, accounts = set(projects), set(besides)
    paying = BillingAccountBinding.objects.paying().filter(project__in=projects).order_by().distinct()
    make_due_facts(projects, accounts=accounts.union(paying.values_list("account", flat=True)))
    # what became a fact has locked the new payers
    accounts.update(paying.values_list("account", flat=True))
    return BillingAccount.objects.locked().in_bulk(accounts)


def make_due_facts_of(account_id: int) -> None:
    """Make due items facts by which a project gets the account `account_id` (primary key) as payer, or leaves it.

    The same of each account that it ever was payer of record of: they stand with it. Call it before the locks of the
    caller: it uses transactions of its own. A dry run, which could not keep them, does nothing here. Raises
    `Beforehand` inside a transaction.
    """
    if audit.is_dry_run():
        return
    if due := sorted(set(_due_of(account_id).values_list("change", flat=True))):
        audit.beforehand(partial(_move_all, due))


def _move_all(changes: Iterable[int]) -> None:
    for change_id in changes:
        while move_batch(change_id):
            pass


def settle_in_dry_run(account_id: int, *, between: Callable[[], None] = lambda: None) -> None:
    """Settle in the transaction of a dry run, which rolls it back, what `make_due_facts_of` has left.

    Call it before the locks of the caller. `between` locks accounts, or settles what does: after the projects, and
    before what is due here.
    """
    due = _due_of(account_id) if audit.is_dry_run() else PayerChangeItem.objects.none()
    # in one move, however many changes: the locks of one after another would be out of order
    together = PayerChangeItem.objects.due(timezone.now()).filter(change__in=set(due.values_list("change", flat=True)))
    projects = set(together.values_list("project", flat=True))
    payees = {project.pk: project for project in Project.objects.locked().filter(pk__in=projects)} if projects else {}
    between()
    if payees:
        moves.move(payees, timezone.now(), besides=[account_id])


def refuse_due_of(account_id: int) -> None:
    """Raise `Beforehand` if something of the account, locked by the caller, became due since `make_due_facts_of`."""
    if audit.is_dry_run():
        return
    if due := sorted(set(_due_of(account_id).values_list("change", flat=True))):
        raise audit.Beforehand(partial(_move_all, due), _takes_effect().message)


def _due_of(account_id: int) -> PayerChangeItemQuerySet:
    paid = AccountPayer.objects.filter(payer=account_id).values("account")
    paying = BillingAccountBinding.objects.paying().filter(Q(account=account_id) | Q(account__in=paid))
    concerned = Q(change__account=account_id) | Q(change__account__in=paid) | Q(project__in=paying.values("project"))
    return PayerChangeItem.objects.due(timezone.now()).filter(concerned)


def _takes_effect() -> Unavailable:
    return Unavailable(_("a payer change takes effect at this moment; try again"))


def move_due() -> int:
    """Make everything facts that is due, in batches, and return how many projects moved or failed.

    A change that cannot go on is logged and left for the next run; the others go on. Raises `ClockWrong`.
    """
    clock.refuse_wrong()
    settled, stuck = 0, set[int]()
    while True:
        due = PayerChangeItem.objects.due(timezone.now()).exclude(change__in=stuck).order_by("effective_at", "id")
        change_id = due.values_list("change", flat=True).first()
        if change_id is None:
            return settled
        try:
            settled += move_batch(change_id)
        except Exception:
            # what a guard refuses that no rule foresaw must not hold up the other changes
            log.exception("payer_change_stuck", change=change_id)
            stuck.add(change_id)


def move_batch(change_id: int) -> int:
    """Move the first `BATCH` due projects of a change, all of an atomic one, and return how many there were.

    One transaction: interrupted anywhere, nothing of the batch is done, and the next run begins with the same projects.
    Projects with the same usage lock come together. In the order of their keys a batch would hold many of the locks,
    for which binds and intakes of all organizations would wait.
    """
    with audit.transaction():
        at = timezone.now()
        due = PayerChangeItem.objects.due(at).filter(change=change_id)
        due = due.order_by(Mod("project_id", locks.BUCKETS), "project")
        atomic = PayerChange.objects.filter(pk=change_id, atomic=True).exists()
        keys = list(due.values_list("project", flat=True)[: None if atomic else BATCH])
        payees = {project.pk: project for project in Project.objects.locked().filter(pk__in=keys)}
        moves.move(payees, at)
        return len(keys)
