"""Move projects as planned: each item becomes a binding by the rules and the code of a bind, or fails."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.utils.translation import gettext as _

from billing.models import BillingAccount, BillingAccountBinding, PayerChange, PayerChangeItem
from billing.services import payers_of_record
from billing.services.handovers import account_causes, hand_over_all, last_ends, project_causes
from billing.services.locked_payers import why_locked
from billing.services.payer_changes import outcomes
from billing.services.usage import locks
from milo import audit, clock
from milo.access import Actor
from milo.compiled_queries import Update
from milo.kube.names import LABEL_LENGTH, with_suffix
from milo.kube.store.manifests import precise_instant
from projects.models import Project

WORKER = Actor.system("payer-changes")
LABEL = "billing.milo.io/payer-change"
"""The label of a binding that a payer change made: the name of the change."""
ARCHIVED = "ProjectArchived"
_DIGITS = 8
_SHOWN = ("name", "phase", "phase_message", "phase_since")
_STANDING = ("organization_id", *_SHOWN, *(f"paid_by__{column}" for column in _SHOWN))
_SETTLED = Update(PayerChangeItem, "phase", "reason", "message", "binding", "settled_at")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a project does not move: a word for programs and a sentence for people."""

    reason: str
    message: str


@dataclass(slots=True)
class _Move:
    """An item with the rows that it concerns, all of them locked."""

    item: PayerChangeItem
    payee: Project
    payer: BillingAccount
    active: BillingAccountBinding | None
    previous: BillingAccount | None
    names: list[str]
    locked: str
    last: datetime | None
    """Behind it the new binding must begin; None if the project never had a payer."""


def move(payees: Mapping[int, Project], at: datetime, *, besides: Iterable[int] = ()) -> None:
    """Settle the items of `payees`, locked by the caller, that are due at the instant `at` (UTC).

    `besides` are primary keys of accounts to lock in the same order.
    """
    with audit.ledger_language():
        by_change = _locked(payees, at, besides)
        for change, planned in by_change.items():
            _settle(change, planned)
            outcomes.conclude(change, actor=WORKER)


def _locked(payees: Mapping[int, Project], at: datetime, besides: Iterable[int]) -> dict[PayerChange, list[_Move]]:
    """Lock accounts, changes and usage, in this order, and return what is due then; another may have settled it."""
    due = PayerChangeItem.objects.due(at).filter(project__in=payees)
    found = set(due.values_list("change", "change__account"))
    actives = {each.project_id: each for each in BillingAccountBinding.objects.paying().filter(project__in=payees)}
    keys = {account for _change, account in found} | {each.account_id for each in actives.values()} | set(besides)
    shared = payers_of_record.lock_shared(keys)
    rows = BillingAccount.objects.locked().filter(pk__in=keys).select_related("paid_by").only(*_STANDING)
    accounts = {row.pk: row for row in rows}
    payers_of_record.refuse_changed(accounts.values(), shared)
    changes = {row.pk: row for row in PayerChange.objects.locked().filter(pk__in={change for change, _ in found})}
    items = list(due.filter(change__in=changes).order_by("change", "project"))
    projects = [item.project_id for item in items]
    locked, ends = why_locked(projects), last_ends(set(projects) - actives.keys())
    _read_time_lines([payees[key] for key in projects], actives)
    by_change: dict[PayerChange, list[_Move]] = defaultdict(list)
    for item in items:
        change, active, payee = changes[item.change_id], actives.get(item.project_id), payees[item.project_id]
        item.change, item.project = change, payee
        previous = accounts[active.account_id] if active else None
        names = [*binding_names(change, payee.name)]
        payer, why, last = accounts[change.account_id], locked.get(payee.pk, ""), ends.get(payee.pk)
        last = active.established_at if active else last
        by_change[change].append(_Move(item, payee, payer, active, previous, names, why, last))
    # last, since intakes wait; at once for all changes, since two that wait for one another would deadlock
    locks.lock_exclusive(*projects)
    return by_change


def _read_time_lines(payees: Sequence[Project], actives: Mapping[int, BillingAccountBinding]) -> None:
    audit.read_time_lines([actives[each.pk] for each in payees if each.pk in actives])
    audit.read_time_lines([each for each in payees if each.pk not in actives])


def _settle(change: PayerChange, planned: list[_Move]) -> None:
    """Make each of `planned` a binding, or record why not; of an atomic change all or none."""
    names = [name for each in planned for name in each.names]
    named = BillingAccountBinding.objects.filter(organization=change.organization_id, name__in=names)
    taken = set(named.values_list("name", flat=True))
    refusals = {each.item.pk: refusal for each in planned if (refusal := _refusal(each, taken))}
    failed = {key: each for key, each in refusals.items() if each.reason != ARCHIVED}
    if change.atomic and failed:
        first = next(each for each in planned if each.item.pk in failed)
        message = _("no project moved, because %(project)s cannot: %(why)s")
        why = message % {"project": first.payee.name, "why": failed[first.item.pk].message}
        refusals = {each.item.pk: refusals.get(each.item.pk, Refusal("OthersFailed", why)) for each in planned}
    moving = [each for each in planned if each.item.pk not in refusals]
    bindings = [_binding(change, each, next(name for name in each.names if name not in taken)) for each in moving]
    handovers = [(binding, each.previous) for binding, each in zip(bindings, moving, strict=True)]
    hand_over_all(handovers, since=f"by payer change {change.name}", actor=WORKER)
    for binding, each in zip(bindings, moving, strict=True):
        each.item.settle(PayerChangeItem.Phase.DONE, binding.created_at, binding=binding)
    for each in planned:
        if refusal := refusals.get(each.item.pk):
            archived = refusal.reason == ARCHIVED
            phase = PayerChangeItem.Phase.CANCELLED if archived else PayerChangeItem.Phase.FAILED
            at = audit.ledger_time(change)
            each.item.settle(phase, at, reason=refusal.reason, message=refusal.message)
    _SETTLED([each.item for each in planned])


def _binding(change: PayerChange, planned: _Move, name: str) -> BillingAccountBinding:
    begins, active = planned.item.effective_at, planned.active
    return BillingAccountBinding(
        name=name,
        labels={LABEL: change.name},
        organization_id=change.organization_id,
        project=planned.payee,
        account=planned.payer,
        supersedes=active,
        established_at=begins,
        created_at=audit.ledger_time(active or planned.payee, after=begins),
    )


def _refusal(planned: _Move, taken: set[str]) -> Refusal | None:
    payee, payer, active = planned.payee, planned.payer, planned.active
    causes = account_causes(payer.name, payer) + project_causes(payee, payer, active, locked=planned.locked)
    if causes:
        return Refusal(
            refusal_reason(payee, payer, locked=planned.locked), "; ".join(cause.message for cause in causes)
        )
    for account in filter(None, (payer, payer.paid_by)):
        if account.phase_since > planned.item.effective_at:
            # a worker that came in time would have found it so
            message = _("billing account %(name)s is Ready since %(since)s only")
            names = {"name": account.name, "since": precise_instant(account.phase_since)}
            return Refusal("AccountNotReady", message % names)
    if planned.last and planned.last >= planned.item.effective_at:
        return changed_since()
    if taken.issuperset(planned.names):
        return Refusal("NameTaken", _("binding %(name)s already exists") % {"name": planned.names[0]})
    return None


def changed_since() -> Refusal:
    """Return the refusal of a project whose payer has begun no earlier than it should move."""
    return Refusal("PayerChangedSince", _("the payer of the project has changed since"))


def present(payer: BillingAccount | None, begun: Iterable[datetime]) -> datetime:
    """Return the present instant, behind those in `begun` and behind the one since which `payer` is in its phase.

    The clocks of two machines differ. The caller holds the locks of what began.
    """
    return clock.ledger_time(max((*begun, *([payer.phase_since] if payer else [])), default=None))


def refusal_reason(project: Project, payer: BillingAccount | None, *, locked: str = "", planned: bool = False) -> str:
    """Return the first reason, as a word for programs, why `project` cannot move to `payer`."""
    if project.phase != Project.Phase.ACTIVE:
        return ARCHIVED
    if payer and account_causes(payer.name, payer):
        return "AccountNotReady"
    if locked:
        return "PayerLocked"
    return "PlannedAlready" if planned else "PaysAlready"


def binding_names(change: PayerChange, project: str) -> tuple[str, str]:
    """Return the name of the binding of a project, and another with a hash for where that is too long or taken."""
    name = f"{change.name}-{project}"
    digest = sha256(f"{change.uid}/{project}".encode()).hexdigest()[:_DIGITS]
    hashed = with_suffix(name, f"-{digest}")
    return (name if len(name) <= LABEL_LENGTH else hashed), hashed
