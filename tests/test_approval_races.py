"""Two people act on one account at the same moment: whoever comes second meets the account as it is by then.

`MILO_RACES` says how often each race is run; the default keeps the suite quick.
"""

import os
from collections.abc import Callable

import pytest

from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding, Notice, Suspension
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals import approve, request_approval
from billing.services.suspensions import suspend
from milo.access import Actor
from milo.errors import Refused
from projects.models import Organization
from tests import make
from tests.threads import at_once

ROUNDS = int(os.environ.get("MILO_RACES", "20"))
OPERATOR = Actor("user:operator", frozenset({"finance-operator"}))
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def organization() -> Organization:
    return make.an_organization()


def ask_to_close(account: BillingAccount) -> ApprovalRequest:
    return request_approval(
        account.organization_id, account.name, "Close", justification="the contract has ended", actor=make.REQUESTER
    )


def race(*calls: Callable[[], object]) -> list[bool]:
    """Which of the calls succeeded; any error but a refusal fails the test."""
    outcomes = at_once(calls)
    for outcome in outcomes:
        if isinstance(outcome, Exception) and not isinstance(outcome, Refused):
            raise outcome
    return [not isinstance(outcome, Exception) for outcome in outcomes]


def test_of_a_closure_and_a_binding_one_comes_first_and_the_other_is_refused(organization: Organization) -> None:
    for _round in range(ROUNDS):
        account, project = make.a_ready_account(organization), make.a_project(organization)
        request = ask_to_close(account)
        closed, bound = race(
            lambda pk=request.pk: approve(pk, actor=make.APPROVER),  # type: ignore[misc]
            lambda of=(project, account): make.a_binding(*of),  # type: ignore[misc]
        )
        assert closed != bound
        account.refresh_from_db()
        assert (account.phase == "Closed") == closed
        assert BillingAccountBinding.objects.paying().filter(account=account).exists() == bound


def test_a_project_is_bound_before_the_suspension_or_not_at_all(organization: Organization) -> None:
    for _round in range(ROUNDS):
        account, project = make.a_ready_account(organization), make.a_project(organization)
        suspended, bound = race(
            lambda pk=account.pk: suspend(pk, reason_code="ManualReview", message="under review", actor=OPERATOR),  # type: ignore[misc]
            lambda of=(project, account): make.a_binding(*of),  # type: ignore[misc]
        )
        assert suspended
        if bound:
            binding = BillingAccountBinding.objects.get(account=account)
            assert binding.established_at < Suspension.objects.get(account=account).suspended_at


def test_two_approvals_take_effect_once(organization: Organization) -> None:
    make.a_person(roles={organization: "billing-admin"}, email="admin@example.org")
    for _round in range(ROUNDS):
        account = make.a_ready_account(organization)
        request = ask_to_close(account)
        approvers = [Actor(f"user:approver-{number}", make.APPROVER.roles) for number in (1, 2)]
        outcomes = race(*(lambda pk=request.pk, by=by: approve(pk, actor=by) for by in approvers))
        assert sorted(outcomes) == [False, True]
        request.refresh_from_db()
        assert request.decider == approvers[outcomes.index(True)].name
        assert Notice.objects.filter(about="Closed", account=account).count() == 1


def test_an_account_is_closed_as_reviewed_or_revised_and_not_both(organization: Organization) -> None:
    for _round in range(ROUNDS):
        account = make.a_ready_account(organization)
        request = ask_to_close(account)
        spec = AccountSpec("Renamed", "USD", make.TERMS, make.CARD)
        closed, revised = race(
            lambda pk=request.pk: approve(pk, actor=make.APPROVER),  # type: ignore[misc]
            lambda pk=account.pk, spec=spec: revise(pk, spec, actor=OPERATOR),  # type: ignore[misc]
        )
        assert closed != revised
        account.refresh_from_db()
        assert (account.phase, account.display_name) == (("Closed", "") if closed else ("Ready", "Renamed"))
