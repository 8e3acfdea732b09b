"""What each kind of request does once it is approved."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from billing.models import ApprovalRequest, BillingAccount
from billing.services import holds, redating, terms
from billing.services.approvals import (
    affiliations,
    closures,
    payer_correction_rules,
    payer_corrections,
    payer_moves,
    reactivations,
    reviews,
)
from billing.services.usage import assignments
from milo.errors import Cause


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of an approved request: `apply` it, unless `causes` says why it cannot happen now.

    Both get the account, locked. `shows` is what the approver reviews besides the account. `lock` gets organization,
    name of the account and proposal, and locks what comes before the account in the order of locks. `prepare` gets the
    same, before any lock of a request or of an approval. `freeze` keeps what `shows` reads from changing until the
    approval has taken effect; its locks come after that of the account.
    """

    causes: Callable[[BillingAccount, ApprovalRequest], list[Cause]]
    apply: Callable[..., None]
    shows: Callable[[BillingAccount, ApprovalRequest], dict[str, Any]] = lambda _account, _request: {}
    lock: Callable[[int, str, dict[str, Any]], None] = lambda _organization_id, _account, _proposal: None
    freeze: Callable[[ApprovalRequest], None] = lambda _request: None
    prepare: Callable[[int, str, dict[str, Any]], None] = lambda _organization_id, _account, _proposal: None


EFFECTS: dict[str, Effect] = {
    ApprovalRequest.Action.REACTIVATE: Effect(
        lambda account, _request: reactivations.causes(account),
        reactivations.apply,
        lock=reactivations.lock,
        prepare=reactivations.prepare,
    ),
    ApprovalRequest.Action.CLOSE: Effect(closures.close_causes, closures.close),
    ApprovalRequest.Action.REOPEN: Effect(
        lambda account, _request: closures.reopen_causes(account), closures.reopen, lock=closures.lock_above
    ),
    ApprovalRequest.Action.REVISE_TERMS: Effect(terms.causes, terms.apply),
    ApprovalRequest.Action.RELEASE_HOLD: Effect(holds.release_causes, holds.apply_release, holds.shows),
    ApprovalRequest.Action.ASSIGN_USAGE: Effect(assignments.causes, assignments.apply, assignments.shows),
    ApprovalRequest.Action.REDATE_BINDINGS: Effect(redating.causes, redating.apply, redating.shows, redating.lock),
    ApprovalRequest.Action.CORRECT_PAYER: Effect(
        payer_correction_rules.causes,
        payer_corrections.apply,
        payer_corrections.shows,
        payer_corrections.lock,
        payer_corrections.freeze,
    ),
    ApprovalRequest.Action.AFFILIATE: Effect(
        affiliations.causes, affiliations.apply, affiliations.shows, affiliations.lock, prepare=affiliations.prepare
    ),
    ApprovalRequest.Action.MOVE_PAYERS: Effect(
        payer_moves.causes, payer_moves.apply, payer_moves.shows, payer_moves.lock
    ),
}


def review_of(account: BillingAccount, request: ApprovalRequest) -> dict[str, Any]:
    """Return what a decision rests on, as it is now: the account, and what the effect shows besides."""
    return reviews.reviewed(account) | EFFECTS[request.act].shows(account, request)


def changes_since_review(account: BillingAccount, request: ApprovalRequest) -> list[reviews.Difference]:
    """Return what has changed since the review of `request`; it is stale unless the list is empty."""
    return reviews.changes_since(request, review_of(account, request))
