"""Create affiliations: a plan for a month to come, or a fact at once for an account that was never used."""

from collections.abc import Iterator
from datetime import date

from django.utils.translation import gettext as _

from billing.access import AFFILIATIONS
from billing.models import ApprovalRequest, BillingAccount, BillingAccountAffiliation
from billing.models.usage_partitions import next_month
from billing.services.affiliations import facts, rules
from billing.services.affiliations.locks import lock_hierarchy
from billing.services.affiliations.proposals import Proposed, propose
from billing.services.affiliations.rules import reference_causes
from billing.services.affiliations.specs import (
    EFFECTIVE_FROM,
    MONTHS_AHEAD,
    AffiliationSpec,
    months_after,
    present_month,
)
from milo import audit
from milo.access import Actor
from milo.errors import AlreadyExists, Cause, Invalid
from milo.kube.metadata import Metadata
from milo.kube.names import name_causes
from milo.kube.store import managers


def create_affiliation(
    organization_id: int, name: str, spec: AffiliationSpec, metadata: Metadata = Metadata(), *, actor: Actor
) -> BillingAccountAffiliation:
    """Plan that an account is under another from a month on; a fact at once where that is the present month.

    A newer plan of the account cancels the older. Raises `Forbidden`; `AlreadyExists`; `Invalid` with every broken rule
    at once, also where the payer of record of an account changes that is used, which needs an approved `Affiliate`.
    """
    actor.require("create", AFFILIATIONS, organization_id)
    # what is due takes effect from its month on, however late: a newer plan must not cancel it
    with facts.transaction(organization_id):
        child, parent = lock_accounts(organization_id, spec)
        return write_affiliation(organization_id, name, spec, metadata, child, parent, actor=actor)


def lock_accounts(organization_id: int, spec: AffiliationSpec) -> tuple[BillingAccount | None, BillingAccount | None]:
    """Lock the hierarchy, then the accounts that the spec names, all below the child, and the payers of record.

    Return child and parent.
    """
    lock_hierarchy(organization_id)
    named = BillingAccount.objects.filter(organization=organization_id, name__in=[spec.account, spec.parent])
    keys = dict(named.values_list("name", "pk"))
    payers = BillingAccount.objects.filter(pays_for_accounts__in=keys.values())
    concerned = {*keys.values(), *payers.values_list("pk", flat=True)}
    if spec.account in keys:
        concerned |= facts.concerned_by(organization_id, keys[spec.account])
    rows = BillingAccount.objects.locked().filter(pk__in=concerned).in_bulk()
    child, parent = (rows.get(keys.get(each, 0)) for each in (spec.account, spec.parent))
    return child, parent


def write_affiliation(
    organization_id: int,
    name: str,
    spec: AffiliationSpec,
    metadata: Metadata,
    child: BillingAccount | None,
    parent: BillingAccount | None,
    *,
    request: ApprovalRequest | None = None,
    actor: Actor,
) -> BillingAccountAffiliation:
    """Create as `create_affiliation` does, under the locks of `lock_accounts`; `request` is what was approved."""
    causes = name_causes(name) + metadata.causes() + spec.causes()
    causes += reference_causes(spec.account, spec.parent, child, parent)
    if BillingAccountAffiliation.objects.filter(organization=organization_id, name=name).exists():
        raise AlreadyExists(_("affiliation %(name)s already exists") % {"name": name})
    if child is None or (spec.parent and parent is None):
        raise Invalid.because(causes)
    proposed = propose(child, parent, spec.paid_by_parent, month_of(spec))
    causes += proposal_causes(proposed, spec, request=request)
    if request is None:
        causes += rules.approval_causes(proposed.changed_onwards())
    if causes:
        raise Invalid.because(causes, _("the account cannot be affiliated"))
    at = audit.ledger_time(child)
    affiliation = BillingAccountAffiliation(
        name=name,
        organization_id=organization_id,
        account=child,
        parent=parent,
        payer=spec.payer or spec.default_payer,
        effective_from=proposed.month,
        reason=spec.reason,
        created_by=actor.name,
        created_at=at,
    )
    metadata.put_on(affiliation)
    affiliation.instead_of = older = _cancel_older(child, affiliation, actor)
    with audit.ledger_language():
        instead = _("%(reason)s; instead of %(older)s") % {"reason": spec.reason, "older": older}
    audit.save_as(actor, affiliation, reason="AffiliationPlanned", why=instead if older else spec.reason)
    if proposed.month <= present_month():
        facts.activate(affiliation, child, parent, actor=actor)
    else:
        for account in filter(None, (child, parent)):
            audit.mark_changed(actor, account, reason="AffiliationPlanned", why=facts.sentence(affiliation))
    return affiliation


def _cancel_older(child: BillingAccount, newer: BillingAccountAffiliation, actor: Actor) -> str:
    """Cancel the plan of an account that `newer` replaces, and return its name; empty if there is none."""
    name = ""
    for older in BillingAccountAffiliation.objects.scheduled().filter(account=child):
        name = older.name
        with audit.ledger_language():
            why = _("%(newer)s was planned instead") % {"newer": newer.name}
        older.cancel(audit.ledger_time(older), why)
        audit.save_as(actor, older, reason="AffiliationCancelled", why=why)
    return name


def month_of(spec: AffiliationSpec) -> date:
    """Return the first month of an affiliation; without one in `spec` the next."""
    return (spec.effective_from or next_month(present_month())).replace(day=1)


def proposal_causes(
    proposed: Proposed, spec: AffiliationSpec, *, request: ApprovalRequest | None = None
) -> list[Cause]:
    """Return every rule that keeps `proposed` from being planned now."""
    return [
        *_month_causes(proposed),
        *rules.same_causes(proposed, spec.paid_by_parent),
        *rules.causes(proposed, besides=request),
        *rules.later_causes(proposed),
    ]


def _month_causes(proposed: Proposed) -> Iterator[Cause]:
    month, present = proposed.month, present_month()
    if month < present:
        yield Cause(EFFECTIVE_FROM, _("is in the past: correct the payer of a project instead"))
    if month > months_after(present, MONTHS_AHEAD):
        yield Cause(EFFECTIVE_FROM, _("is more than %(months)d months ahead") % {"months": MONTHS_AHEAD})
    if month == present and (used := rules.used_among(proposed.subtree)):
        message = _("must be a month to come, because %(name)s is used already")
        yield Cause(EFFECTIVE_FROM, message % {"name": used[min(used)]})
    active = BillingAccountAffiliation.objects.active().filter(account=proposed.child).first()
    if active and active.effective_from >= month:
        message = _("%(affiliation)s is in force from %(month)s on: begin later")
        names = {"affiliation": active.name, "month": f"{active.effective_from:%Y-%m}"}
        yield Cause(EFFECTIVE_FROM, message % names)


def relabel_affiliation(
    affiliation_id: int, metadata: Metadata, *, actor: Actor, resource_version: int | None = None
) -> BillingAccountAffiliation:
    """Change the metadata of an affiliation; its spec is immutable.

    An unchanged one is not written. Raises `Forbidden`; `Invalid` for a fault in the metadata; `Conflict` for a stale
    `resource_version`.
    """
    with audit.transaction():
        affiliation = BillingAccountAffiliation.objects.locked().get(pk=affiliation_id)
        actor.require("update", AFFILIATIONS, affiliation.organization_id)
        return managers.relabel(
            affiliation, metadata, reason="AffiliationRelabelled", actor=actor, resource_version=resource_version
        )
