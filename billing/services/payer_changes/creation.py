"""Create payer changes: the set of projects is fixed now, under their locks, so that what was previewed moves."""

from collections.abc import Mapping, Sequence

from django.conf import settings
from django.utils.translation import gettext as _

from billing.access import PAYER_CHANGES
from billing.models import ApprovalRequest, PayerChange, PayerChangeItem
from billing.services.payer_changes import conditions, drafts, facts
from billing.services.payer_changes.moves import Refusal
from billing.services.payer_changes.sets import Named, PayerChangeSpec
from milo import audit
from milo.access import Actor
from milo.errors import AlreadyExists, Cause, Forbidden, Invalid
from milo.kube.metadata import Metadata
from milo.kube.names import name_causes
from milo.kube.store import managers
from projects.access import FINANCE_OPERATOR
from projects.models import Membership

OF_A_USER = 20
"""Projects of a payer change of a billing-user at most."""
_AT_ONCE = 1000


class ApprovalNeeded(Invalid):
    """The payer change moves more projects than one person may decide about; the cause says what to request."""


def create_payer_change(
    organization_id: int, name: str, spec: PayerChangeSpec, metadata: Metadata = Metadata(), *, actor: Actor
) -> PayerChange:
    """Plan that an account becomes the payer of projects at an instant, or now; the worker moves them.

    Later, a target that is not Ready yet is no fault. Now, and unless all or none move, a project that cannot move is
    an outcome, unless none can. Lock order: projects, accounts. Raises `Forbidden`; `AlreadyExists`; `Invalid` with
    every fault of the spec, and each project that cannot move by its index; `ApprovalNeeded` for more projects than
    MILO_APPROVE_MOVES_OVER; `Unavailable` while another payer change takes effect.
    """
    actor.require("create", PAYER_CHANGES, organization_id)
    faults = name_causes(name) + metadata.causes() + spec.causes()
    if spec.set_causes():
        raise Invalid.because(faults)
    if source := drafts.account_keys(organization_id, spec).get(spec.source):
        # what is due is a fact before it is asked for which projects the account pays
        facts.make_due_facts_of(source)
    with audit.transaction():
        if PayerChange.objects.filter(organization=organization_id, name=name).exists():
            raise AlreadyExists(_("payer change %(name)s already exists") % {"name": name})
        locked = drafts.lock(organization_id, spec)
        draft = drafts.draft(organization_id, name, spec, within=locked, creator=actor.name)
        _refuse_many(draft, actor)
        if causes := faults + draft.causes():
            raise Invalid.because(causes, _("the projects cannot be moved"))
        _refuse_unapproved(draft)
        metadata.put_on(draft.change)
        return write(draft, actor=actor)


def write(draft: drafts.Draft, *, actor: Actor) -> PayerChange:
    """Write a draft that nothing refuses; the caller holds the locks of its projects and accounts."""
    change = draft.change
    # none of the projects is refused, unless it fails at once
    change.obstacle = conditions.obstacle(change.account)
    audit.save_as(actor, change, reason="PayerChangeCreated", why=change.reason)
    _add_items(change, draft.named, draft.refused)
    return change


def _refuse_many(draft: drafts.Draft, actor: Actor) -> None:
    if len(draft.named) > OF_A_USER and not may_move_many(actor, draft.change.organization_id):
        message = _("%(actor)s may move at most %(limit)s projects by one payer change; a billing-admin may move more")
        raise Forbidden(message % {"actor": actor.name, "limit": OF_A_USER})


def _refuse_unapproved(draft: drafts.Draft) -> None:
    limit, moved = settings.MILO_APPROVE_MOVES_OVER, len(draft.named)
    if limit is None or moved <= limit:
        return
    message = _(
        "would move %(moved)s projects, and a second person must approve a move of more than %(limit)s: create an"
        " ApprovalRequest of this name with spec.billingAccountRef.name %(account)s, spec.action %(action)s and this"
        " spec as spec.proposal.payerChange"
    )
    words = {
        "moved": moved,
        "limit": limit,
        "account": draft.spec.account,
        "action": ApprovalRequest.Action.MOVE_PAYERS.value,
    }
    raise ApprovalNeeded.because([Cause(draft.spec.set_field, message % words)], _("this needs an approval"))


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
