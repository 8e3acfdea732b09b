"""Bindings that a wrong clock has dated in the future, and the effect of an approved request that redates them.

Until their day the account that is bound and the payer at an instant differ. Every start and end in the future moves to
the present, in its order and a microsecond apart, so that intervals stay contiguous. What was paid until now stays, and
history keeps both instants.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding
from billing.services.accounts import ACCOUNT_FIELD
from billing.services.locked_payers import why_locked
from billing.services.payer_changes.facts import make_due_facts
from billing.services.usage import locks, moves
from milo import audit, clock
from milo.access import Actor
from milo.errors import Cause
from projects.models import Project

FIELD = "spec.proposal.project"
_STEP = timedelta(microseconds=1)


def redatable(account: BillingAccount) -> QuerySet[Project]:
    """Return the projects whose newest binding is one of `account`, and begins or ends in the future."""
    newest = BillingAccountBinding.objects.ahead().filter(account=account, superseded_by=None)
    return Project.objects.filter(pk__in=newest.values("project")).order_by("name")


def lock(organization_id: int, account: str, proposal: dict[str, Any]) -> None:
    """Lock the project of the proposal, then `account` and those of its bindings, by primary key."""
    project = Project.objects.locked().filter(organization_id=organization_id, name=_named(proposal)).first()
    if project:
        payers = BillingAccountBinding.objects.ahead().filter(project=project).values("account")
        accounts = BillingAccount.objects.filter(Q(organization_id=organization_id, name=account) | Q(pk__in=payers))
        # a plan that is due comes before bindings that begin now
        make_due_facts([project.pk], accounts=accounts.values_list("pk", flat=True))
        list(accounts.locked())


def causes(account: BillingAccount, request: ApprovalRequest) -> list[Cause]:
    """Return why the bindings of the proposed project cannot be redated; the caller has called `lock`."""
    project = _project(request)
    if project is None:
        return [Cause.not_found(FIELD, _("must be a project of the organization"))]
    bindings = _ahead(project)
    if not bindings:
        return [Cause(FIELD, _("no binding of the project begins or ends in the future"))]
    if min(_instants(bindings)) <= timezone.now() + clock.TOLERANCE:
        return [Cause(FIELD, _("a binding of the project begins or ends within a minute; wait for it"))]
    faults = [Cause(FIELD, why) for why in why_locked([project.pk]).values()]
    if (newest := bindings[-1].account) != account:
        faults.append(Cause(ACCOUNT_FIELD, _("must be %(name)s, whose binding is the newest") % {"name": newest.name}))
    if account.phase in BillingAccount.READ_ONLY:
        faults.append(Cause(ACCOUNT_FIELD, _("a %(phase)s account is read-only") % {"phase": account.phase}))
    # what was archived says until when it paid
    if archived := [each.account.name for each in bindings if each.account.phase == BillingAccount.Phase.ARCHIVED]:
        faults.append(Cause(FIELD, _("account %(name)s, which paid before, is archived") % {"name": archived[0]}))
    return faults


def shows(account: BillingAccount, request: ApprovalRequest) -> dict[str, Any]:
    """Return the bindings with a start or an end in the future, for the review; oldest first."""
    project = _project(request)
    return {"bindings": [_reviewed(binding) for binding in _ahead(project)] if project else []}


def apply(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Redate the bindings of the project to the present, in the transaction of the approval. Raises `ClockWrong`."""
    project = _project(request)
    assert project, "causes is asked first"
    clock.refuse_wrong()
    # intakes first: the present is drawn once nothing more is waited for
    locks.lock_exclusive(project.pk)
    bindings = _ahead(project)
    moved = _moved(project, _instants(bindings))
    why = f"bindings of {project.name} in the future begin and end at {min(moved.values()).isoformat()}"
    with moves.reattribute_usage(project, min(moved.values())):
        # oldest first: each begins where the one before it ends by then
        for binding in bindings:
            binding.redate(moved)
            # generated: the digits of its instants could pass for a card number
            audit.save_as(actor, binding, reason="Redated", why=_said(binding), generated=True)
    audit.mark_changed(actor, project, reason="BindingsRedated", why=why)
    for payer in {binding.account_id: binding.account for binding in bindings}.values():
        audit.mark_changed(actor, payer, reason="BindingsRedated", why=why)


def explains(columns: Mapping[str, Any]) -> bool:
    """Return whether an approved request explains why a history row of a binding (`columns`) is dated after its seal.

    The history of a redated binding stays where the wrong clock put it, and goes on from there.
    """
    names = Project.objects.filter(pk=columns["project_id"]).values_list("name", flat=True)
    redatings = ApprovalRequest.objects.approved().filter(act=ApprovalRequest.Action.REDATE_BINDINGS)
    return any(
        redatings.filter(organization_id=columns["organization_id"], proposal={"project": name}).exists()
        for name in names
    )


def _named(proposal: dict[str, Any]) -> str:
    return str(proposal.get("project", ""))


def _project(request: ApprovalRequest) -> Project | None:
    return Project.objects.filter(organization_id=request.organization_id, name=_named(request.proposal)).first()


def _ahead(project: Project) -> list[BillingAccountBinding]:
    return list(BillingAccountBinding.objects.timeline(project).ahead())


def _instants(bindings: list[BillingAccountBinding]) -> list[datetime]:
    """Return the starts and ends in the future, in order, each once."""
    instants = {at for binding in bindings for at in (binding.established_at, binding.ended_at) if at}
    return sorted(at for at in instants if at > timezone.now())


def _moved(project: Project, instants: list[datetime]) -> dict[datetime, datetime]:
    """Return the new instant of each: the present, at least a microsecond after every start and end of the past."""
    bindings, now = BillingAccountBinding.objects.filter(project=project), timezone.now()
    past = bindings.aggregate(
        start=Max("established_at", filter=Q(established_at__lte=now)), end=Max("ended_at", filter=Q(ended_at__lte=now))
    )
    present = clock.ledger_time(max((at for at in past.values() if at), default=None))
    return {at: present + number * _STEP for number, at in enumerate(instants)}


def _reviewed(binding: BillingAccountBinding) -> dict[str, Any]:
    return {
        "name": binding.name,
        "uid": str(binding.uid),
        "billingAccount": binding.account.name,
        "establishedAt": _text(binding.established_at),
        "endedAt": binding.ended_at and _text(binding.ended_at),
    }


def _said(binding: BillingAccountBinding) -> str:
    ended = f", ended at {_text(binding.ended_at)}" if binding.ended_at else ""
    return f"established at {_text(binding.established_at)}{ended}: the clock was wrong"


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
