"""Create payer changes: the set of projects is fixed now, under their locks, so that what was previewed moves."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from billing.access import PAYER_CHANGES
from billing.models import BillingAccount, BillingAccountBinding, PayerChange, PayerChangeItem
from billing.services.accounts import missing_account
from billing.services.handovers import account_causes, project_causes
from billing.services.locked_payers import why_locked
from billing.services.payer_changes import conditions, facts, plans, sets
from billing.services.payer_changes.moves import Refusal, refusal_reason
from billing.services.payer_changes.sets import Named, PayerChangeSpec
from milo import audit, clock
from milo.access import Actor
from milo.errors import AlreadyExists, Cause, Forbidden, Invalid
from milo.kube.metadata import Metadata
from milo.kube.names import name_causes
from milo.kube.store import managers
from projects.access import FINANCE_OPERATOR
from projects.models import Membership, Project

ACCOUNT_FIELD, EFFECTIVE_FIELD = "spec.toAccountRef.name", "spec.effectiveAt"
OF_A_USER = 20
"""Projects of a payer change of a billing-user at most."""
_CAUSES = 100
_AT_ONCE = 1000


def create_payer_change(
    organization_id: int, name: str, spec: PayerChangeSpec, metadata: Metadata = Metadata(), *, actor: Actor
) -> PayerChange:
    """Plan that an account becomes the payer of projects at an instant, or now; the worker moves them.

    Later, a target that is not Ready yet is no fault. Now, and unless all or none move, a project that cannot move is
    an outcome, unless none can. Lock order: projects, accounts. Raises `Forbidden`; `AlreadyExists`; `Invalid` with
    every fault of the spec, and each project that cannot move by its index; `Unavailable` while another payer change
    takes effect.
    """
    actor.require("create", PAYER_CHANGES, organization_id)
    faults = name_causes(name) + metadata.causes() + spec.causes()
    if spec.set_causes():
        raise Invalid.because(faults)
    accounts = _accounts(organization_id, spec)
    if spec.source in accounts and not audit.is_dry_run():
        # what is due is a fact before it is asked for which projects the account pays
        facts.make_due_facts_of(accounts[spec.source])
    with audit.transaction():
        if PayerChange.objects.filter(organization=organization_id, name=name).exists():
            raise AlreadyExists(_("payer change %(name)s already exists") % {"name": name})
        source = BillingAccount(pk=accounts[spec.source]) if spec.source in accounts else None
        named, causes = sets.resolve(spec, organization_id, source)
        projects = Project.objects.locked().filter(pk__in=[each.pk for each in named]).in_bulk()
        facts.make_due_facts(projects, accounts=accounts.values())
        rows = BillingAccount.objects.locked().filter(pk__in=accounts.values())
        payers = {row.name: row for row in rows}
        change = _new(organization_id, name, spec, payers, actor)
        metadata.put_on(change)
        causes = faults + causes + _account_causes(spec, payers) + _causes_of_size(spec, named)
        actives = _actives(projects)
        causes += _instant_causes(change, spec, actives)
        # as outcomes they are written, which the ledger does in one language, not in the actor's
        may_fail = change.at_once and not change.atomic
        with translation.override(settings.LANGUAGE_CODE if may_fail else translation.get_language()):
            refused = _refused(named, projects, payers.get(spec.account), actives)
        _refuse(spec, change, named, causes, refused, actor)
        change.obstacle = conditions.obstacle(payers[spec.account])
        audit.save_as(actor, change, reason="PayerChangeCreated", why=spec.reason)
        _add_items(change, named, refused)
        return change


def _accounts(organization_id: int, spec: PayerChangeSpec) -> dict[str, int]:
    names = [name for name in (spec.account, spec.source) if name]
    rows = BillingAccount.objects.filter(organization=organization_id, name__in=names)
    return dict(rows.values_list("name", "pk"))


def _new(
    organization_id: int, name: str, spec: PayerChangeSpec, payers: Mapping[str, BillingAccount], actor: Actor
) -> PayerChange:
    return PayerChange(
        name=name,
        organization_id=organization_id,
        account=payers.get(spec.account),
        source=payers.get(spec.source),
        projects=list(spec.projects) if spec.projects is not None else None,
        project_selector={"matchLabels": dict(spec.labels)} if spec.labels is not None else None,
        effective_at=spec.effective_at or timezone.now(),
        at_once=spec.effective_at is None,
        atomic=spec.atomic,
        reason=spec.reason,
        created_by=actor.name,
    )


def _account_causes(spec: PayerChangeSpec, payers: Mapping[str, BillingAccount]) -> list[Cause]:
    causes = []
    if spec.source and spec.source not in payers:
        causes.append(Cause(sets.SOURCE, missing_account(spec.source).message, "FieldValueNotFound"))
    account = payers.get(spec.account)
    waits = spec.effective_at is not None and account and account.phase not in BillingAccount.READ_ONLY
    if not waits:
        causes += [Cause(ACCOUNT_FIELD, each.message, each.reason) for each in account_causes(spec.account, account)]
    return causes


def _causes_of_size(spec: PayerChangeSpec, named: Sequence[Named]) -> list[Cause]:
    causes = []
    if spec.projects is None and not named:
        field = sets.SOURCE if spec.source else sets.SELECTOR
        causes.append(Cause(field, _("there is no project to move")))
    if len(named) > sets.AT_MOST:
        causes.append(Cause(named[0].field, _("at most %(limit)s projects") % {"limit": sets.AT_MOST}))
    if spec.atomic and len(named) > sets.ATOMIC_AT_MOST:
        causes.append(Cause("spec.atomic", _("at most %(limit)s projects") % {"limit": sets.ATOMIC_AT_MOST}))
    return causes


def _actives(projects: Mapping[int, Project]) -> dict[int, BillingAccountBinding]:
    bindings = BillingAccountBinding.objects.paying().filter(project__in=list(projects))
    columns = ("name", "project_id", "account_id", "established_at")
    return {binding.project_id: binding for binding in bindings.only(*columns)}


def _instant_causes(
    change: PayerChange, spec: PayerChangeSpec, actives: Mapping[int, BillingAccountBinding]
) -> list[Cause]:
    """Set the instant of a change that is effective now, behind those of the present payers; else check that named."""
    if spec.effective_at is None:
        change.effective_at = clock.ledger_time(max((each.established_at for each in actives.values()), default=None))
        return []
    now = timezone.now()
    if spec.effective_at <= now:
        return [Cause(EFFECTIVE_FIELD, _("must be in the future"))]
    if spec.effective_at > _a_year_after(now):
        return [Cause(EFFECTIVE_FIELD, _("is more than 1 year ahead"))]
    return []


def _a_year_after(at: datetime) -> datetime:
    try:
        return at.replace(year=at.year + 1)
    except ValueError:
        # the 29th of February
        return at.replace(year=at.year + 1, day=28)


def _refused(
    named: Sequence[Named],
    projects: Mapping[int, Project],
    payer: BillingAccount | None,
    actives: Mapping[int, BillingAccountBinding],
) -> dict[int, Refusal]:
    """Return why projects cannot move, by their primary keys."""
    planned, locked = plans.open_items(projects), why_locked(projects)
    refused = {}
    for each in named:
        project, active = projects[each.pk], actives.get(each.pk)
        messages = [cause.message for cause in project_causes(project, payer, active, locked=locked.get(each.pk, ""))]
        if item := planned.get(each.pk):
            messages.append(plans.refusal(item))
        if messages:
            reason = refusal_reason(project, payer, locked=locked.get(each.pk, ""), planned=bool(item))
            refused[each.pk] = Refusal(reason, "; ".join(messages))
    return refused


def _refuse(
    spec: PayerChangeSpec,
    change: PayerChange,
    named: Sequence[Named],
    causes: list[Cause],
    refused: Mapping[int, Refusal],
    actor: Actor,
) -> None:
    """Raise `Forbidden` for too many projects, and `Invalid` with every cause, if there is any."""
    if len(named) > OF_A_USER and not may_move_many(actor, change.organization_id):
        message = _("%(actor)s may move at most %(limit)s projects by one payer change; a billing-admin may move more")
        raise Forbidden(message % {"actor": actor.name, "limit": OF_A_USER})
    outcomes = change.at_once and not change.atomic and len(refused) < len(named)
    if not outcomes:
        by_name = spec.projects is not None
        causes += [
            Cause(each.field, refused[each.pk].message if by_name else f"{each.name}: {refused[each.pk].message}")
            for each in named
            if each.pk in refused
        ]
    if len(causes) > _CAUSES:
        more = Cause(sets.PROJECTS, _("and %(number)s more") % {"number": len(causes) - _CAUSES})
        causes = [*causes[:_CAUSES], more]
    if causes:
        raise Invalid.because(causes, _("the projects cannot be moved"))


def may_move_many(actor: Actor, organization_id: int) -> bool:
    """Return whether `actor` may move more than `OF_A_USER` projects of an organization by one payer change."""
    held = actor.organizations.get(organization_id, frozenset())
    return actor.is_system or FINANCE_OPERATOR in actor.roles or Membership.Role.BILLING_ADMIN in held


def _add_items(change: PayerChange, named: Sequence[Named], refused: Mapping[int, Refusal]) -> None:
    items = []
    for each in sorted(named, key=lambda each: each.pk):
        item = PayerChangeItem(change=change, project_id=each.pk, effective_at=change.effective_at)
        if refusal := refused.get(each.pk):
            # effective now: what cannot move is an outcome
            item.settle(PayerChangeItem.Phase.FAILED, change.created_at, reason=refusal.reason, message=refusal.message)
        items.append(item)
    PayerChangeItem.objects.bulk_create(items, batch_size=_AT_ONCE)


def relabel_payer_change(
    change_id: int, metadata: Metadata, *, actor: Actor, resource_version: int | None = None
) -> PayerChange:
    """Change the metadata of a payer change; its spec is immutable.

    An unchanged one is not written. Raises `Forbidden`; `Invalid` for a fault in the metadata; `Conflict` for a stale
    `resource_version`.
    """
    with audit.transaction():
        change = PayerChange.objects.locked().get(pk=change_id)
        actor.require("update", PAYER_CHANGES, change.organization_id)
        return managers.relabel(
            change, metadata, reason="PayerChangeRelabelled", actor=actor, resource_version=resource_version
        )
