"""The handover of a project to a payer: the rules of it, and the only code that makes bindings.

Callers hold the locks: the project, then its present payer and the new one by primary key.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import datetime

from django.db.models import Max
from django.utils.translation import gettext as _

from billing.metrics import count_bind
from billing.models import BillingAccount, BillingAccountBinding
from billing.services import payers_of_record
from billing.services.accounts import ACCOUNT_FIELD, missing_account, not_ready
from billing.services.usage import moves
from milo import audit
from milo.access import Actor
from milo.errors import Cause
from projects.models import Project

PROJECT_FIELD = "spec.projectRef.name"
FROM_NOW_ON = "from now on"


def missing_project(name: str, field: str = PROJECT_FIELD) -> Cause:
    """Return the cause for a name that no project of the organization has."""
    message = _("there is no project %(name)s in this organization") % {"name": name}
    return Cause.not_found(field, message)


def project_causes(
    payee: Project, payer: BillingAccount | None, active: BillingAccountBinding | None, *, locked: str = ""
) -> list[Cause]:
    """Return why the project `payee` cannot get the payer `payer`; `locked` is why its payer is locked, if it is."""
    causes = []
    if payee.phase != Project.Phase.ACTIVE:
        causes.append(Cause(PROJECT_FIELD, _("project %(name)s is archived") % {"name": payee.name}))
    if locked:
        causes.append(Cause(PROJECT_FIELD, locked))
    if payer and active and active.account_id == payer.pk:
        message = _("%(name)s pays for this project already, by binding %(binding)s")
        causes.append(Cause(ACCOUNT_FIELD, message % {"name": payer.name, "binding": active.name}))
    return causes


def account_causes(account: str, payer: BillingAccount | None) -> list[Cause]:
    """Return why no project can be handed over to the account named `account` now."""
    cause = not_ready(payer) or payers_of_record.not_ready(payer) if payer else missing_account(account)
    return [cause] if cause else []


def last_instant(payee: Project, active: BillingAccountBinding | None) -> datetime | None:
    """Return the instant behind which a new binding of `payee` must begin; None if it never had a payer."""
    if active:
        return active.established_at
    return last_ends([payee.pk]).get(payee.pk)


def last_ends(projects: Iterable[int]) -> dict[int, datetime]:
    """Return when the last bindings of `projects` (primary keys), for which nobody pays, ended; by project."""
    ended = BillingAccountBinding.objects.filter(project__in=projects, ended_at__isnull=False).order_by()
    return dict(ended.values_list("project").annotate(last=Max("ended_at")))


def hand_over(
    binding: BillingAccountBinding,
    previous: BillingAccount | None,
    *,
    since: str = FROM_NOW_ON,
    reason: str = "SuccessfulBinding",
    why: str = "",
    known: bool = True,
    actor: Actor,
) -> None:
    """Write `binding`, which is unsaved, and end the one that it supersedes at the instant at which it begins.

    So there is neither a gap nor an overlap. Usage from that instant on, which may lie in the past, follows.
    `previous` is the payer that the project leaves; `since` says in words from when on, or by what; `why` is the reason
    that a person gave. `known` says that others know the project already: it may have usage, and its revision is of
    this change.
    """
    active = binding.supersedes
    with moves.reattribute_usage(binding.project, binding.established_at) if known else nullcontext():
        if active:
            active.supersede(binding.established_at)
            audit.save_as(actor, active, reason="Superseded", why=_why_ended(binding, since, why))
        audit.save_as(actor, binding, reason=reason, why=_why_begun(binding, since, why))
    _announce(binding, previous, since, known, actor)


def hand_over_all(
    handovers: Sequence[tuple[BillingAccountBinding, BillingAccount | None]],
    *,
    since: str,
    reason: str = "SuccessfulBinding",
    actor: Actor,
) -> None:
    """Write many bindings of known projects as `hand_over` does one; the number of queries stays the same.

    Each comes with the payer that its project leaves.
    """
    bindings = [binding for binding, _previous in handovers]
    ended = [(binding.supersedes, _why_ended(binding, since)) for binding in bindings if binding.supersedes]
    with moves.reattribute_usage_of_all({binding.project_id: binding.established_at for binding in bindings}):
        for binding in bindings:
            if binding.supersedes:
                binding.supersedes.supersede(binding.established_at)
        audit.save_all_as(actor, ended, reason="Superseded", columns=BillingAccountBinding.ENDING)
        audit.save_all_as(actor, [(binding, _why_begun(binding, since)) for binding in bindings], reason=reason)
    for binding, previous in handovers:
        _announce(binding, previous, since, True, actor)


def _why_ended(binding: BillingAccountBinding, since: str, why: str = "") -> str:
    return _explained(f"{binding.account} pays {since}", why)


def _why_begun(binding: BillingAccountBinding, since: str, why: str = "") -> str:
    says = f"{binding.account} pays for {binding.project}"
    return _explained(says if since == FROM_NOW_ON else f"{says} {since}", why)


def _explained(says: str, why: str) -> str:
    return f"{says}: {why}" if why else says


def _announce(
    binding: BillingAccountBinding, previous: BillingAccount | None, since: str, known: bool, actor: Actor
) -> None:
    project, account = binding.project, binding.account
    if known:
        audit.mark_changed(actor, project, reason="PayerChanged", why=f"now paid for by {account}")
    audit.mark_changed(actor, account, reason="ProjectLinked", why=f"pays for {project} {since}")
    if previous:
        audit.mark_changed(actor, previous, reason="ProjectUnlinked", why=f"{account} pays for {project} {since}")
    count_bind(rebound=binding.supersedes_id is not None)
