"""Nobody approves what they have not seen: neither late, nor in a race with who renews the request."""

from dataclasses import replace
from functools import partial

import pytest

from billing.models import ApprovalRequest, BillingAccount
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.decisions import StaleReview, approve
from billing.services.approvals.requests import renew
from tests.support import make
from tests.support.interleaving import then
from tests.support.ledger import causes_of, refused

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "not the one of this reviewedHash"


@pytest.fixture
def request_to_close() -> ApprovalRequest:
    return make.a_request(make.a_ready_account(make.an_organization()), "Close")


def change_and_renew(request: ApprovalRequest) -> None:
    """Change the account and stand by the request for it as it is then."""
    account = BillingAccount.objects.get(pk=request.account_id)
    revise(account.pk, replace(AccountSpec.of(account), display_name="Other than reviewed"), actor=make.PLATFORM)
    renew(request.pk, actor=make.REQUESTER)


@pytest.mark.parametrize("wrong", ["", "0" * 64, "nonsense"])
def test_another_hash_than_that_of_the_review_approves_nothing(request_to_close: ApprovalRequest, wrong: str) -> None:
    with refused(StaleReview, REASON) as refusal:
        approve(request_to_close.pk, reviewed_hash=wrong, actor=make.APPROVER)
    assert set(causes_of(refusal)) == {"spec.reviewedHash"}


def test_what_was_renewed_since_the_approver_looked_is_not_approved(request_to_close: ApprovalRequest) -> None:
    seen = request_to_close.reviewed_hash
    change_and_renew(request_to_close)
    with refused(StaleReview, REASON):
        approve(request_to_close.pk, reviewed_hash=seen, actor=make.APPROVER)
    request_to_close.refresh_from_db()
    assert approve(request_to_close.pk, reviewed_hash=request_to_close.reviewed_hash, actor=make.APPROVER)


def test_an_approval_that_began_before_the_renewal_ended_meets_the_renewed_request(
    request_to_close: ApprovalRequest,
) -> None:
    seen = partial(approve, request_to_close.pk, reviewed_hash=request_to_close.reviewed_hash, actor=make.APPROVER)
    assert isinstance(then(partial(change_and_renew, request_to_close), seen), StaleReview)
    request_to_close.refresh_from_db()
    request_to_close.account.refresh_from_db()
    assert (request_to_close.phase, request_to_close.account.phase) == ("Pending", "Ready")
