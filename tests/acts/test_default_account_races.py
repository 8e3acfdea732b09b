"""A default account at the same moment as a closure, a suspension, a new project, and a second sweep."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection

from billing.models import BillingAccount, BillingAccountBinding, DefaultAccount
from billing.services.accounts import AccountSpec, revise
from billing.services.default_accounts import bind_waiting, set_default
from billing.services.notices.deliveries import announce_due
from billing.services.suspensions import suspend
from milo.access import Actor
from milo.errors import Invalid
from projects.models import Organization, Project
from projects.services.organizations import OrganizationSpec
from tests.support import make
from tests.support.ledger import assert_timeline, assert_watchers_see
from tests.support.threads import at_once, races

pytestmark = pytest.mark.django_db(transaction=True)
OPERATOR = Actor("user:operator", frozenset({"finance-operator"}))
RACES = 40 if connection.vendor == "postgresql" else 20


def set_to(organization: Organization, account: BillingAccount) -> Organization:
    return set_default(organization.pk, OrganizationSpec("x"), account.name, actor=OPERATOR)


def test_a_default_races_the_closure_of_its_account() -> None:
    organizations = [make.an_organization() for _ in range(RACES)]
    accounts = [make.a_ready_account(organization) for organization in organizations]
    requests = [make.a_request(account, "Close") for account in accounts]
    outcomes = races(
        [
            (partial(set_to, organization, account), partial(make.approve, request.pk, actor=make.APPROVER))
            for organization, account, request in zip(organizations, accounts, requests, strict=True)
        ]
    )
    for account, (was_set, closed) in zip(accounts, outcomes, strict=True):
        account.refresh_from_db()
        named = DefaultAccount.objects.filter(account=account).exists()
        if isinstance(was_set, Exception):
            assert type(was_set) is Invalid
            assert (account.phase, named) == ("Closed", False)
        else:
            assert type(closed) is Invalid
            assert (account.phase, named) == ("Ready", True)


def test_a_new_project_races_the_suspension_of_the_default_account() -> None:
    organizations = [make.an_organization() for _ in range(10)]
    accounts = [make.a_ready_account(organization) for organization in organizations]
    for organization, account in zip(organizations, accounts, strict=True):
        set_to(organization, account)
    for organization, account in zip(organizations, accounts, strict=True):
        halt = partial(suspend, account.pk, reason_code="ManualReview", message="x", actor=make.PLATFORM)
        calls: list[Callable[[], Any]] = [partial(make.a_project, organization), halt]
        project, suspended = at_once(calls)
        assert isinstance(project, Project)
        assert isinstance(suspended, BillingAccount)
        bound = BillingAccountBinding.objects.filter(project=project).exists()
        # bound before the suspension, or waiting for its end
        assert DefaultAccount.objects.get(account=account).waiting is not bound
        announce_due()
        assert_watchers_see(project)


def test_two_sweeps_at_once_bind_each_project_once() -> None:
    organization = make.an_organization()
    account = make.an_incomplete_account(organization)
    set_to(organization, account)
    projects = [make.a_project(organization) for _ in range(8)]
    revise(account.pk, AccountSpec("", "USD", make.TERMS, make.CARD), actor=make.PLATFORM)
    outcomes = at_once([bind_waiting] * 3)
    assert sum(outcome for outcome in outcomes if isinstance(outcome, int)) == 8
    assert all(len(assert_timeline(project)) == 1 for project in projects)
    assert not DefaultAccount.objects.get().waiting
