"""Two people act on one account at the same moment: whoever comes second meets the account as it is by then.

`TEST_RACES` says how often each race is run; the default keeps the suite quick.
"""

import os
from collections.abc import Callable
from functools import partial

import pytest

from billing.models import (
    ApprovalRequest,
    BillingAccount,
    BillingAccountBinding,
    Notice,
    PayerCorrection,
    Suspension,
)
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.requests import request_approval
from billing.services.suspensions import suspend
from milo.access import Actor
from milo.errors import Refused
from projects.models import Organization
from tests.support import make
from tests.support.make import approve
from tests.support.threads import Outcome, at_once, races

ROUNDS = int(os.environ.get("TEST_RACES", "20"))
OPERATOR = Actor("user:operator", frozenset({"finance-operator"}))
pytestmark = pytest.mark.django_db(transaction=True)


def ask_to_close(account: BillingAccount) -> ApprovalRequest:
    return request_approval(
        account.organization_id, account.name, "Close", justification="the contract has ended", actor=make.REQUESTER
    )


def refused(outcome: Outcome) -> bool:
    """Whether the act was refused; any error but a refusal fails the test."""
    if isinstance(outcome, Exception) and not isinstance(outcome, Refused):
        raise outcome
    return isinstance(outcome, Refused)


def test_of_a_closure_and_a_binding_one_comes_first_and_the_other_is_refused(organization: Organization) -> None:
    accounts = [make.a_ready_account(organization) for _ in range(ROUNDS)]
    pairs = [
        (
            partial(make.a_binding, make.a_project(organization), account),
            partial(approve, ask_to_close(account).pk, actor=make.APPROVER),
        )
        for account in accounts
    ]
    for account, (bound, closed) in zip(accounts, races(pairs), strict=True):
        assert refused(bound) != refused(closed)
        account.refresh_from_db()
        assert account.phase == ("Closed" if refused(bound) else "Ready")
        assert BillingAccountBinding.objects.paying().filter(account=account).exists() != refused(bound)


def test_a_project_is_bound_before_the_suspension_or_not_at_all(organization: Organization) -> None:
    accounts = [make.a_ready_account(organization) for _ in range(ROUNDS)]
    pairs = [
        (
            partial(make.a_binding, make.a_project(organization, contact_email_addresses=["a@example.org"]), account),
            partial(suspend, account.pk, reason_code="ManualReview", message="under review", actor=OPERATOR),
        )
        for account in accounts
    ]
    for account, (bound, suspended) in zip(accounts, races(pairs), strict=True):
        assert not refused(suspended)
        bindings = BillingAccountBinding.objects.filter(account=account)
        # whoever was bound before is told
        assert bindings.count() == Notice.objects.filter(account=account).count() == (not refused(bound))
        suspended_at = Suspension.objects.get(account=account).suspended_at
        assert all(binding.established_at < suspended_at for binding in bindings)


def test_two_approvals_take_effect_once(organization: Organization) -> None:
    make.a_person(roles={organization: "billing-admin"}, email="admin@example.org")
    requests = [ask_to_close(make.a_ready_account(organization)) for _ in range(ROUNDS)]
    one, two = (Actor(f"user:approver-{number}", make.APPROVER.roles) for number in (1, 2))
    pairs = [(partial(approve, request.pk, actor=one), partial(approve, request.pk, actor=two)) for request in requests]
    for request, (first, second) in zip(requests, races(pairs), strict=True):
        assert refused(first) != refused(second)
        request.refresh_from_db()
        assert request.decider == (two if refused(first) else one).name
        assert Notice.objects.filter(about="Closed", account=request.account).count() == 1


def test_an_account_is_closed_as_reviewed_or_revised_and_not_both(organization: Organization) -> None:
    accounts = [make.a_ready_account(organization) for _ in range(ROUNDS)]
    spec = AccountSpec("Renamed", "USD", make.TERMS, make.CARD)
    pairs = [
        (
            partial(approve, ask_to_close(account).pk, actor=make.APPROVER),
            partial(revise, account.pk, spec, actor=OPERATOR),
        )
        for account in accounts
    ]
    for account, (closed, revised) in zip(accounts, races(pairs), strict=True):
        assert refused(closed) != refused(revised)
        account.refresh_from_db()
        assert (account.phase, account.display_name) == (("Ready", "Renamed") if refused(closed) else ("Closed", ""))


def test_a_correction_that_binds_too_and_a_binding_come_one_after_the_other(organization: Organization) -> None:
    us, emea = make.a_ready_account(organization), make.a_ready_account(organization)
    for _ in range(ROUNDS // 2):
        project, account = make.a_project(organization), make.a_ready_account(organization)
        since = make.a_binding(project, us).established_at.isoformat()
        request = make.a_request(account, "CorrectPayer", proposal={"project": project.name, "since": since})
        acts: list[Callable[[], object]] = [
            partial(make.a_binding, project, emea),
            partial(approve, request.pk, actor=make.APPROVER),
        ]
        bound, corrected = at_once(acts)
        assert not refused(bound)
        # a binding that came first makes the review stale; one that came second takes over
        assert PayerCorrection.objects.filter(project=project).exists() != refused(corrected)
        assert BillingAccountBinding.objects.paying().get(project=project).account == emea
        count = BillingAccountBinding.objects.filter(project=project).count()
        assert count == (2 if refused(corrected) else 3)
