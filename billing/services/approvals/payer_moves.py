"""Move many projects once a second person approves: the effect of MovePayers on the account that becomes the payer.

Which projects move stands in the review. The request is stale once that would be others, so what was reviewed is what
moves. The payer change has the name of the request, and is one like any other from then on.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from billing.models import ApprovalRequest, BillingAccount, PayerChange
from billing.services.payer_changes import creation, drafts, facts, sets
from billing.services.payer_changes.sets import PayerChangeSpec
from milo.access import Actor
from milo.errors import Cause

FIELD = "spec.proposal.payerChange"


def lock(organization_id: int, account: str, proposal: dict[str, Any]) -> None:
    """Lock the projects of the proposal, then its accounts. Raises `Unavailable` while something of them is due."""
    spec = _spec(proposal)
    if spec is None or spec.set_causes():
        return
    drafts.lock(organization_id, spec)
    if source := drafts.account_keys(organization_id, spec).get(spec.source):
        facts.refuse_due_of(source)


def causes(account: BillingAccount, request: ApprovalRequest) -> list[Cause]:
    """Return why the proposed payer change cannot be created now; the caller has called `lock`."""
    spec = _spec(request.proposal)
    if spec is None:
        return [Cause.required(FIELD)]
    faults = spec.causes()
    if spec.account != account.name:
        message = _("must be %(name)s, the account of the request") % {"name": account.name}
        faults.append(Cause(drafts.ACCOUNT_FIELD, message))
    if not spec.set_causes():
        faults += _draft(request, spec).causes()
    if PayerChange.objects.filter(organization=request.organization_id, name=request.name).exists():
        message = _("payer change %(name)s already exists") % {"name": request.name}
        faults.append(Cause("metadata.name", message, "FieldValueDuplicate"))
    return [replace(each, field=each.field.replace("spec", FIELD, 1)) for each in faults]


def shows(account: BillingAccount, request: ApprovalRequest) -> dict[str, Any]:
    """Return which projects would move, who pays for them now, and which of them cannot move, for the review."""
    spec = _spec(request.proposal)
    if spec is None or spec.set_causes():
        return {}
    draft = _draft(request, spec)
    counts = Counter(binding.account_id for binding in draft.actives.values())
    payers = BillingAccount.objects.filter(pk__in=counts).order_by("name")
    # else it is refused for them, in the language of who asks, which a review must not depend on
    outcomes = draft.refused if draft.may_fail else {}
    refused = {each.name: outcomes[each.pk].message for each in draft.named if each.pk in outcomes}
    return {
        "projects": sorted(each.name for each in draft.named),
        "payers": [
            {"account": payer.name, "currencyCode": payer.currency_code, "projects": counts[payer.pk]}
            for payer in payers
        ],
        "unbound": len(draft.named) - len(draft.actives),
        "cannotMove": [{"project": name, "why": refused[name]} for name in sorted(refused)],
    }


def apply(account: BillingAccount, request: ApprovalRequest, *, actor: Actor) -> None:
    """Create the payer change in the transaction of the approval, in the name of who answers for the request."""
    spec = _spec(request.proposal)
    assert spec, "causes is asked first"
    creation.write(_draft(request, spec, reviewed=True), actor=actor)


def _spec(proposal: dict[str, Any]) -> PayerChangeSpec | None:
    return PayerChangeSpec.of_json(proposal["payerChange"]) if proposal.get("payerChange") else None


def _draft(request: ApprovalRequest, spec: PayerChangeSpec, *, reviewed: bool = False) -> drafts.Draft:
    """Return the draft of the proposed change; `reviewed` are only projects that the approver has read."""
    within = None
    if reviewed:
        # `lock` holds them; one that came to the set since its locks were waited for is not of it
        by_name = replace(spec, projects=request.reviewed["projects"], source="", labels=None)
        within = {each.pk for each in sets.resolve(by_name, request.organization_id, None)[0]}
    return drafts.draft(request.organization_id, request.name, spec, within=within, creator=request.owner)
