"""Cancel a payer change, or the part of it that has not taken effect."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from billing.access import CANCEL, PAYER_CHANGES
from billing.models import PayerChange, PayerChangeItem
from billing.services.payer_changes import outcomes, plans
from milo import audit
from milo.access import Actor
from milo.compiled_queries import Update
from milo.errors import Cause, Invalid
from projects.models import Project

PROJECTS_FIELD = "spec.projects"
_CANCELLED = Update(PayerChangeItem, "phase", "reason", "message", "settled_at")


def cancel(change_id: int, *, reason: str, projects: Sequence[str] | None = None, actor: Actor) -> PayerChange:
    """Cancel what is pending of a payer change, or of it `projects` (names) alone; what is done stays done.

    Raises `Forbidden`; `Invalid` without a reason, for a change that has ended, for a project that is not pending, and
    for an empty list, which a program that found nothing to cancel would send.
    """
    with audit.transaction():
        change = PayerChange.objects.locked().get(pk=change_id)
        actor.require("create", PAYER_CHANGES, change.organization_id, action=CANCEL)
        if causes := plans.reason_causes(reason):
            raise Invalid.because(causes)
        if change.phase not in PayerChange.OPEN:
            message = _("payer change %(name)s has ended: it is %(phase)s")
            raise Invalid(message % {"name": change.name, "phase": change.phase})
        items = _pending(change, projects)
        _cancel(items, change, "Cancelled", reason, actor)
        counts = outcomes.counts_of(change)
        why = f"{len(items)} projects stay, {counts[PayerChangeItem.Phase.DONE]} had moved before: {reason}"
        if counts[PayerChangeItem.Phase.PENDING]:
            audit.save_as(actor, change, reason="PayerChangeReduced", why=why)
        else:
            outcomes.end(change, PayerChange.Phase.CANCELLED, counts, why=why, actor=actor)
        return change


def _pending(change: PayerChange, projects: Sequence[str] | None) -> list[PayerChangeItem]:
    items = list(PayerChangeItem.objects.pending().filter(change=change).select_related("project"))
    if projects is None:
        return items
    if not projects:
        raise Invalid.because([Cause.required(PROJECTS_FIELD)])
    by_name = {item.project.name: item for item in items}
    message = _("project %(name)s is not pending in this payer change")
    causes = [
        Cause(f"{PROJECTS_FIELD}[{index}]", message % {"name": name})
        for index, name in enumerate(projects)
        if name not in by_name
    ]
    if causes:
        raise Invalid.because(causes)
    return [by_name[name] for name in dict.fromkeys(projects)]


def _cancel(items: Sequence[PayerChangeItem], change: PayerChange, reason: str, message: str, actor: Actor) -> None:
    at = audit.ledger_time(change)
    for item in items:
        item.settle(PayerChangeItem.Phase.CANCELLED, at, reason=reason, message=message)
    _CANCELLED(items)


def cancel_archived(project: Project, *, actor: Actor) -> None:
    """Cancel the open item of `project`, locked by the caller, which is archived in the same transaction."""
    item = plans.open_item(project.pk)
    if item is None:
        return
    change = PayerChange.objects.locked().get(pk=item.change_id)
    item = PayerChangeItem.objects.pending().filter(pk=item.pk).first()
    if item is None:
        return
    _cancel([item], change, "ProjectArchived", f"project {project.name} was archived", actor)
    counts = outcomes.counts_of(change)
    why = f"project {project.name} was archived"
    if counts[PayerChangeItem.Phase.PENDING]:
        audit.mark_changed(actor, change, reason="PayerChangeReduced", why=why)
    else:
        outcomes.end(change, outcomes.phase_of(counts), counts, why=why, actor=actor)
