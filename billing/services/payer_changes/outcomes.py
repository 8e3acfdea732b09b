"""The phase of a payer change, as its items have it: begun with the first, ended with the last."""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from billing.models import PayerChange, PayerChangeItem
from billing.services.payer_changes import notices
from milo import audit
from milo.access import Actor


def conclude(change: PayerChange, *, actor: Actor) -> None:
    """Write the revision of `change`, locked by the caller, of which items are settled; end it with the last."""
    begins = change.phase == PayerChange.Phase.SCHEDULED
    if begins:
        change.begin()
    counts = counts_of(change)
    if not counts[PayerChangeItem.Phase.PENDING]:
        end(change, phase_of(counts), counts, actor=actor)
    elif begins:
        audit.save_as(actor, change, reason="PayerChangeBegun")
    else:
        audit.mark_changed(actor, change)


def end(
    change: PayerChange, phase: PayerChange.Phase, counts: Mapping[str, int], *, why: str = "", actor: Actor
) -> None:
    """End `change`, locked by the caller, in `phase`; by default its numbers say why."""
    at = audit.ledger_time(change)
    if phase == PayerChange.Phase.COMPLETED:
        change.complete(at, counts)
        reason = "PayerChangeCompleted"
    elif phase == PayerChange.Phase.PARTLY_COMPLETED:
        change.complete_partly(at, counts)
        reason = "PayerChangePartlyCompleted"
    elif phase == PayerChange.Phase.FAILED:
        change.fail(at, counts)
        reason = "PayerChangeFailed"
    else:
        change.cancel(at, counts)
        reason = "PayerChangeCancelled"
    # generated: counts side by side could pass for a card number
    audit.save_as(actor, change, reason=reason, why=why or summary(counts), generated=not why)
    if counts[PayerChangeItem.Phase.FAILED]:
        notices.queue_failure(change, counts)


def counts_of(change: PayerChange) -> dict[str, int]:
    """Return the numbers of the items of `change` by their phases."""
    return PayerChangeItem.objects.filter(change=change).counts()[change.pk]


def phase_of(counts: Mapping[str, int]) -> PayerChange.Phase:
    """Return the phase in which a change ends of whose items none is pending."""
    done, failed = counts[PayerChangeItem.Phase.DONE], counts[PayerChangeItem.Phase.FAILED]
    if failed:
        return PayerChange.Phase.PARTLY_COMPLETED if done else PayerChange.Phase.FAILED
    return PayerChange.Phase.COMPLETED if done else PayerChange.Phase.CANCELLED


def summary(counts: Mapping[str, int]) -> str:
    """Return how many projects moved, failed and were cancelled, for people."""
    with audit.ledger_language():
        message = _("%(done)s of %(total)s projects moved, %(failed)s failed, %(cancelled)s were cancelled")
    names = {phase.lower(): number for phase, number in counts.items()}
    return message % {**names, "total": sum(counts.values())}
