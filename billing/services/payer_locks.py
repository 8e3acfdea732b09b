"""Lock and unlock the payer of a project. A locked payer stays: nobody binds, plans a move or archives meanwhile.

Two steps on purpose: no action takes a flag that goes over a lock. `why_locked` is the refusal of them all.
"""

from django.utils.translation import gettext as _

from billing.access import LOCK_PAYER, UNLOCK_PAYER
from billing.models import BillingAccountBinding, PayerLock
from billing.services.locked_payers import refuse_locked as refuse_locked
from billing.services.locked_payers import why_locked as why_locked
from billing.services.payer_changes.facts import make_due_facts
from milo import audit
from milo.access import Actor
from milo.errors import Cause, Invalid
from projects.access import PROJECTS
from projects.models import Project


def lock_payer(project_id: int, *, reason: str, actor: Actor) -> Project:
    """Lock the payer of a project: until it is unlocked, no other account can pay, and it cannot be archived.

    Suspending the payer, and what follows from that, goes on. A payer change of the project that is due comes first.
    Raises `Forbidden`; `Invalid` without a reason, for an archived project, for one that nobody pays for, and for one
    that is locked already; `Unavailable` while a payer change takes effect.
    """
    with audit.transaction():
        project = _locked_project(project_id, LOCK_PAYER, reason, actor)
        # draws the instant of the transaction: nothing can become due between what is due and the lock
        audit.ledger_time(project)
        make_due_facts([project.pk])
        if project.phase != Project.Phase.ACTIVE:
            raise Invalid(_("project %(name)s is archived") % {"name": project.name})
        refuse_locked(project)
        if not BillingAccountBinding.objects.paying().filter(project=project).exists():
            raise Invalid(_("nobody pays for project %(name)s: bind it first") % {"name": project.name})
        lock = PayerLock(project=project, reason=reason, locked_at=audit.ledger_time(project), locked_by=actor.name)
        audit.save_as(actor, lock, reason="PayerLocked", why=reason)
        audit.mark_changed(actor, project, reason="PayerLocked", why=reason)
        return project


def unlock_payer(project_id: int, *, reason: str, actor: Actor) -> Project:
    """Unlock the payer of a project. A payer change of the project that is due comes first, which the lock refuses.

    Raises `Forbidden`; `Invalid` without a reason, or if it is not locked; `Unavailable` while a payer change takes
    effect.
    """
    with audit.transaction():
        project = _locked_project(project_id, UNLOCK_PAYER, reason, actor)
        make_due_facts([project.pk])
        lock = PayerLock.objects.open().filter(project=project).first()
        if lock is None:
            raise Invalid(_("the payer of %(project)s is not locked") % {"project": project.name})
        lock.unlocked_at, lock.unlocked_by = audit.ledger_time(project, after=lock.locked_at), actor.name
        lock.unlock_reason = reason
        audit.save_as(actor, lock, reason="PayerUnlocked", why=reason)
        audit.mark_changed(actor, project, reason="PayerUnlocked", why=reason)
        return project


def _locked_project(project_id: int, action: str, reason: str, actor: Actor) -> Project:
    """Lock the row of a project, which serializes locks with binds and archiving, and check right and reason."""
    project = Project.objects.locked().get(pk=project_id)
    actor.require("create", PROJECTS, project.organization_id, action=action)
    if not reason.strip():
        raise Invalid.because([Cause.required("spec.reason")])
    return project
