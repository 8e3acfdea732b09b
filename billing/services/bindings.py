"""Actions on bindings: who pays for a project from now on."""

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.access import BINDINGS
from billing.models import BillingAccount, BillingAccountBinding, PayerChangeItem, PayerLock
from billing.services import payers_of_record
from billing.services.handovers import (
    PROJECT_FIELD as PROJECT_FIELD,
)
from billing.services.handovers import (
    account_causes,
    hand_over,
    last_instant,
    missing_project,
    project_causes,
)
from billing.services.locked_payers import why_locked
from billing.services.payer_changes import plans
from billing.services.payer_changes.cancellations import cancel_archived
from billing.services.payer_changes.facts import make_due_facts
from billing.services.usage import moves
from milo import audit, clock
from milo.access import Actor
from milo.compiled_queries import CompiledQuery, Param
from milo.errors import AlreadyExists, Cause, Invalid
from milo.kube.metadata import Metadata
from milo.kube.names import name_causes
from milo.kube.store import managers
from projects.models import Project

# locks the project; reads only the columns that the rules need
_PAYEE = CompiledQuery(
    lambda: (
        Project.objects.filter(organization=Param("organization"), name=Param("name"))
        .only("name", "phase", "organization_id")
        .locked()
    )
)
# the active binding of the project, with whether the payer is locked and a move planned, and the binding that has the
# name already
_PRESENT = CompiledQuery(
    lambda: (
        BillingAccountBinding.objects.paying().filter(project=Param("project"))
        | BillingAccountBinding.objects.filter(organization=Param("organization"), name=Param("name"))
    ).annotate(
        payer_is_locked=Exists(PayerLock.objects.open().filter(project=OuterRef("project"))),
        is_planned=Exists(PayerChangeItem.objects.pending().filter(project=OuterRef("project"))),
    )
)
# locks the new payer and the present payer; reads their payers of record too, which are locked before
_PAYERS = CompiledQuery(
    lambda: (
        BillingAccount.objects.filter(
            Q(organization=Param("organization"), name=Param("name")) | Q(pk=Param("present"))
        )
        .select_related("paid_by")
        .only(
            "name",
            "phase",
            "phase_message",
            "organization_id",
            *(f"paid_by__{field}" for field in payers_of_record.STANDING),
        )
        .locked()
    )
)


def bind(
    organization_id: int,
    name: str,
    project: str,
    account: str,
    metadata: Metadata = Metadata(),
    *,
    why: str = "",
    actor: Actor,
) -> BillingAccountBinding:
    """Make `account` the payer of `project` from now on; both are names, `name` is the name of the new binding.

    `why` is the reason that a person gave, recorded in the histories of the binding and of the one that it supersedes.
    Raises `Forbidden`, and what `bind_authorized` raises.
    """
    actor.require("create", BINDINGS, organization_id)
    return bind_authorized(organization_id, name, project, account, metadata, why=why, actor=actor)


def bind_authorized(
    organization_id: int,
    name: str,
    project: str,
    account: str,
    metadata: Metadata = Metadata(),
    *,
    why: str = "",
    actor: Actor,
) -> BillingAccountBinding:
    """Bind as `bind` does, in the name of an actor whose right the caller has asked for.

    The active binding is superseded in the same transaction and ends at the instant at which the new one begins, so
    that there is neither a gap nor an overlap. A payer change of the project that is due comes first. Lock order:
    project, accounts by primary key, usage of the project. Raises `AlreadyExists`; `Invalid` with every broken rule at
    once: the project is missing, archived, planned to move, of another organization, or its payer is locked; the
    account is missing, not Ready, or the payer already; `Unavailable` while a payer change takes effect.
    """
    if causes := name_causes(name) + metadata.causes() + (plans.reason_causes(why) if why else []):
        raise Invalid.because(causes)
    with audit.transaction():
        payee = _PAYEE.first(organization=organization_id, name=project)
        present, active, planned = _present(payee, organization_id, name)
        if planned and _make_due_fact(planned, account):
            present, active, planned = _present(payee, organization_id, name)
        # before the rules, which a repeat of what was done breaks: the project has this payer already
        if any(each.name == name for each in present if each.organization_id == organization_id):
            raise AlreadyExists(_("binding %(name)s already exists") % {"name": name})
        accounts = _lock_payers(organization_id, account, active)
        payer = next((each for each in accounts if each.name == account), None)
        if causes := _causes(project, payee, account, payer, active, planned):
            raise Invalid.because(causes, _("the project cannot be bound"))
        assert payee
        assert payer
        before = last_instant(payee, active)
        at = clock.valid_time(audit.ledger_time(active or payee, after=before), before)
        binding = BillingAccountBinding(
            name=name,
            organization_id=organization_id,
            project=payee,
            account=payer,
            supersedes=active,
            established_at=at,
            created_at=at,
        )
        metadata.put_on(binding)
        hand_over(binding, next((each for each in accounts if each is not payer), None), why=why, actor=actor)
        return binding


def _present(
    payee: Project | None, organization_id: int, name: str
) -> tuple[Sequence[BillingAccountBinding], BillingAccountBinding | None, PayerChangeItem | None]:
    """Return the rows of `_PRESENT`, the active binding of `payee` among them, and its open item of a payer change."""
    key = payee.pk if payee else None
    present = _PRESENT.fetch(project=key, organization=organization_id, name=name)
    active = next((each for each in present if each.project_id == key and each.ended_at is None), None)
    # most projects have a payer and no plan, and are asked for no item
    if payee is None or (active and not active.is_planned):  # type: ignore[attr-defined]
        return present, active, None
    return present, active, plans.open_item(payee.pk)


def _lock_payers(organization_id: int, account: str, active: BillingAccountBinding | None) -> list[BillingAccount]:
    """Lock the account of that name and the present payer, and their payers of record shared; return the first two."""
    present = active.account_id if active else None
    shared = payers_of_record.lock_shared([present], organization_id, account)
    accounts = _PAYERS.fetch(organization=organization_id, name=account, present=present)
    payers_of_record.refuse_changed(accounts, shared)
    return list(accounts)


def _make_due_fact(planned: PayerChangeItem, account: str) -> bool:
    """Make `planned` a fact if it is due, with the lock of `account` (a name) in order; return whether it was."""
    accounts = BillingAccount.objects.filter(organization=planned.project.organization_id, name=account)
    return planned.effective_at <= timezone.now() and make_due_facts(
        [planned.project_id], accounts=accounts.values_list("pk", flat=True)
    )


def refusals(organization_id: int, project: str, account: str) -> list[Cause]:
    """Return why `bind` would be refused now, whatever the name of the binding; it locks what `bind` locks."""
    payee = _PAYEE.first(organization=organization_id, name=project)
    _rows, active, planned = _present(payee, organization_id, "")
    accounts = _lock_payers(organization_id, account, active)
    payer = next((each for each in accounts if each.name == account), None)
    return _causes(project, payee, account, payer, active, planned)


def _causes(
    project: str,
    payee: Project | None,
    account: str,
    payer: BillingAccount | None,
    active: BillingAccountBinding | None,
    planned: PayerChangeItem | None,
) -> list[Cause]:
    # a locked project has a payer, so that its active binding tells
    is_locked = payee is not None and active is not None and active.payer_is_locked  # type: ignore[attr-defined]
    locked = why_locked([payee.pk])[payee.pk] if payee and is_locked else ""
    causes = project_causes(payee, payer, active, locked=locked) if payee else [missing_project(project)]
    if planned:
        causes.append(Cause(PROJECT_FIELD, plans.refusal(planned)))
    return causes + account_causes(account, payer)


def end_with_project(project: Project, *, actor: Actor) -> None:
    """End the active binding of `project`, locked by the caller, which is archived in the same transaction.

    A payer change of the project that is due comes first, one that is not is cancelled for it.
    """
    make_due_facts([project.pk])
    active = BillingAccountBinding.objects.paying().filter(project=project).first()
    # before the payer change, as the worker locks them
    account = BillingAccount.objects.locked().get(pk=active.account_id) if active else None
    cancel_archived(project, actor=actor)
    if active is None or account is None:
        return
    at = clock.valid_time(audit.ledger_time(active, after=active.established_at), active.established_at)
    active.end(at, BillingAccountBinding.EndReason.PROJECT_ARCHIVED)
    with moves.reattribute_usage(project, at):
        audit.save_as(actor, active, reason="Ended", why=f"project {project.name} was archived")
    audit.mark_changed(actor, account, reason="ProjectUnlinked", why=f"project {project.name} was archived")


def relabel_binding(
    binding_id: int, metadata: Metadata, *, actor: Actor, resource_version: int | None = None
) -> BillingAccountBinding:
    """Change the metadata of a binding; everything else is immutable.

    An unchanged binding is not written. Raises `Forbidden`; `Invalid` for a fault in the metadata; `Conflict` for a
    stale `resource_version`.
    """
    with audit.transaction():
        # every writer of a binding locks its project first, or a relabel could overwrite what bind just wrote
        Project.objects.locked().get(bindings=binding_id)
        binding = BillingAccountBinding.objects.get(pk=binding_id)
        actor.require("update", BINDINGS, binding.organization_id)
        return managers.relabel(
            binding, metadata, reason="BindingRelabelled", actor=actor, resource_version=resource_version
        )
