"""What each kind of request does once it is approved."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from billing.models import ApprovalRequest, BillingAccount
from billing.services import holds, terms
from billing.services.approvals import closures, reactivations, reviews
from billing.services.usage import assignments
from milo.errors import Cause


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of an approved request: `apply` it, unless `causes` says why it cannot happen now.

    Both get the account, locked. `shows` is what the approver reviews besides the account.
    """

    causes: Callable[[BillingAccount, ApprovalRequest], list[Cause]]
    apply: Callable[..., None]
    shows: Callable[[BillingAccount, ApprovalRequest], dict[str, Any]] = lambda _account, _request: {}


EFFECTS: dict[str, Effect] = {
    ApprovalRequest.Action.REACTIVATE: Effect(
        lambda account, _request: reactivations.causes(account), reactivations.apply
    ),
    ApprovalRequest.Action.CLOSE: Effect(closures.close_causes, closures.close),
    ApprovalRequest.Action.REOPEN: Effect(lambda account, _request: closures.reopen_causes(account), closures.reopen),
    ApprovalRequest.Action.REVISE_TERMS: Effect(terms.causes, terms.apply),
    ApprovalRequest.Action.RELEASE_HOLD: Effect(holds.release_causes, holds.apply_release, holds.shows),
    ApprovalRequest.Action.ASSIGN_USAGE: Effect(assignments.causes, assignments.apply, assignments.shows),
}


def review_of(account: BillingAccount, request: ApprovalRequest) -> dict[str, Any]:
    """Return what a decision rests on, as it is now: the account, and what the effect shows besides.

    A request is stale if this differs from its column `reviewed`.
    """
    return reviews.reviewed(account) | EFFECTS[request.act].shows(account, request)
