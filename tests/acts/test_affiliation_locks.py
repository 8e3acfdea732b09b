"""Each lock of acts on a tree, shown to be needed: without it one of two acts works on what the other has changed."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection
from pytest_django import Settings

from billing.models import (
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Charge,
    Notice,
    UsageClosing,
)
from billing.services.affiliations import facts, inspection
from billing.services.affiliations.cancellations import cancel
from billing.services.charges import ChargeSpec, report_charge
from billing.services.closed_months import close_month
from billing.services.suspensions import suspend
from milo.errors import Invalid, Unavailable
from projects.models import Organization, Project
from tests.support import make
from tests.support.affiliations import Months, an_affiliation, in_months, month
from tests.support.interleaving import then
from tests.support.ledger import assert_history_explains, assert_watchers_see
from tests.support.threads import at_once

__all__ = ["in_months"]
pytestmark = pytest.mark.django_db(transaction=True)
RACES = 6


@pytest.fixture
def group(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization, "group")


@pytest.fixture
def eu(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization, "eu")


def affiliating(child: BillingAccount, parent: BillingAccount) -> Callable[[], BillingAccountAffiliation]:
    return partial(an_affiliation, child, parent)


def suspending(account: BillingAccount) -> Callable[[], object]:
    return partial(suspend, account.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)


def closing(account: BillingAccount) -> Callable[[], object]:
    return partial(make.approve, make.a_request(account, "Close").pk, actor=make.APPROVER)


def assert_whole(*accounts: BillingAccount) -> None:
    assert [*inspection.breaks()] == []
    for account in accounts:
        account.refresh_from_db()
        assert_watchers_see(account)
        assert_history_explains(account)


def test_an_affiliation_waits_for_the_one_that_would_make_a_cycle_with_it(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    """Each is of a root under an account below the other one, so that neither names an account that the other names."""
    below_group, below_eu = (make.a_ready_account(organization) for _ in range(2))
    an_affiliation(below_group, group)
    an_affiliation(below_eu, eu)
    refusal = then(affiliating(group, below_eu), affiliating(eu, below_group))
    assert isinstance(refusal, Invalid)
    assert "is above" in str(refusal)
    assert_whole(group, eu, below_group, below_eu)


def test_an_affiliation_waits_for_another_of_the_same_tree_and_is_one_too_many(
    organization: Organization, group: BillingAccount, eu: BillingAccount, settings: Settings
) -> None:
    """They have no account in common: the lock of the hierarchy alone makes the second see the first."""
    an_affiliation(eu, group)
    settings.MILO_HIERARCHY_SIZE = 3
    one, other = (make.a_ready_account(organization) for _ in range(2))
    refusal = then(affiliating(one, group), affiliating(other, eu))
    assert isinstance(refusal, Invalid)
    assert "the tree of group would have 4 accounts" in str(refusal)


def test_of_two_parents_at_once_the_second_is_refused(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    other = make.a_ready_account(organization)
    assert isinstance(then(affiliating(eu, group), affiliating(eu, other)), Invalid)
    assert_whole(eu)
    assert eu.paid_by == group


@pytest.mark.parametrize("act", [suspending, closing])
def test_an_affiliation_waits_for_the_parent_to_leave_ready_and_is_refused(
    act: Callable[[BillingAccount], Callable[[], object]], group: BillingAccount, eu: BillingAccount
) -> None:
    assert isinstance(then(act(group), affiliating(eu, group)), Invalid)
    assert_whole(group, eu)
    assert eu.paid_by is None


def test_a_closure_waits_for_an_account_that_comes_under_it_and_is_refused(
    group: BillingAccount, eu: BillingAccount
) -> None:
    refusal = then(affiliating(eu, group), closing(group))
    assert isinstance(refusal, Invalid)
    assert "BillingAccountAffiliation" in str(refusal)
    assert_whole(group, eu)
    assert group.phase == "Ready"


def test_an_affiliation_waits_for_the_closure_of_the_child_and_is_refused(
    group: BillingAccount, eu: BillingAccount
) -> None:
    # a request is pending too, until it is decided
    assert isinstance(then(closing(eu), affiliating(eu, group)), Invalid)
    assert_whole(group, eu)
    assert (eu.phase, eu.paid_by) == ("Closed", None)


def test_an_affiliation_waits_for_a_bind_to_the_child_and_is_refused(
    organization: Organization, group: BillingAccount, eu: BillingAccount, project: Project
) -> None:
    refusal = then(partial(make.a_binding, project, eu), affiliating(eu, group))
    assert isinstance(refusal, Invalid)
    assert "is used already" in str(refusal)
    assert_whole(group, eu)


def test_a_bind_asks_again_if_another_came_to_pay_meanwhile(
    group: BillingAccount, eu: BillingAccount, project: Project
) -> None:
    outcome = then(affiliating(eu, group), partial(make.a_binding, project, eu))
    if connection.vendor == "sqlite":  # its single writer begins after the other
        assert isinstance(outcome, BillingAccountBinding)
    else:
        assert isinstance(outcome, Unavailable)
    make.a_binding(project, make.a_ready_account(project.organization))
    assert_whole(group, eu)


def test_a_bind_waits_for_the_suspension_of_the_payer_of_record_and_is_refused(
    group: BillingAccount, eu: BillingAccount, project: Project
) -> None:
    an_affiliation(eu, group)
    refusal = then(suspending(group), partial(make.a_binding, project, eu))
    assert isinstance(refusal, Invalid)
    assert "its payer of record group is Suspended" in str(refusal)


def test_a_suspension_waits_for_a_bind_to_a_paid_account_and_tells_its_project(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    an_affiliation(eu, group)
    project = make.a_project(organization, contact_email_addresses=["owner@acme.example"])
    assert not isinstance(then(partial(make.a_binding, project, eu), suspending(group)), Exception)
    assert Notice.objects.filter(about="Suspended", recipient="owner@acme.example").exists()


@pytest.mark.parametrize("rival", ["settle", "cancel"])
def test_a_plan_is_settled_once(rival: str, group: BillingAccount, eu: BillingAccount, in_months: Months) -> None:
    plan = an_affiliation(eu, group, after=1)
    if rival == "settle":
        in_months.go(work=False)
    settling = partial(facts.settle, plan.pk)
    first = settling if rival == "settle" else partial(cancel, plan.pk, reason="put off", actor=make.PLATFORM)
    assert then(first, settling) is False
    plan.refresh_from_db()
    assert plan.phase == ("Active" if rival == "settle" else "Cancelled")
    assert_whole(eu, group)


def test_a_plan_that_is_settled_is_cancelled_no_more(
    group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    plan = an_affiliation(eu, group, after=1)
    in_months.go(work=False)
    refusal = then(partial(facts.settle, plan.pk), partial(cancel, plan.pk, reason="put off", actor=make.PLATFORM))
    assert isinstance(refusal, Invalid)
    assert_whole(eu)


def test_a_due_plan_waits_for_the_suspension_of_its_parent_and_fails(
    group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    plan = an_affiliation(eu, group, after=1)
    in_months.go(work=False)
    assert then(suspending(group), partial(facts.settle, plan.pk)) is True
    plan.refresh_from_db()
    assert plan.phase == "Failed"
    assert_whole(eu, group)


def last_month(account: BillingAccount) -> Callable[[], UsageClosing]:
    return partial(close_month, account.pk, month() - timedelta(days=1), reason="invoiced", actor=make.PLATFORM)


def test_a_month_waits_for_what_is_due_in_it_and_is_the_payers_to_close(
    group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    plan = an_affiliation(eu, group, after=1)
    # the worker is late: who was payer of record last month is not known yet
    in_months.go(2, work=False)
    refusal = then(partial(facts.settle, plan.pk), last_month(eu))
    assert isinstance(refusal, Invalid)
    assert "group closes" in str(refusal)
    assert not isinstance(last_month(group)(), Exception)
    assert set(UsageClosing.objects.values_list("account", flat=True)) == {group.pk, eu.pk}
    assert_whole(eu, group)


def test_a_late_plan_races_the_closing_of_its_month(organization: Organization, in_months: Months) -> None:
    group = make.a_ready_account(organization, "group")
    children = [make.a_ready_account(organization) for _ in range(RACES)]
    plans = [an_affiliation(child, group, after=1) for child in children]
    in_months.go(2, work=False)
    for child, plan in zip(children, plans, strict=True):
        acts: list[Callable[[], object]] = [partial(facts.settle, plan.pk), last_month(child)]
        _settled, closed = at_once(acts)
        assert isinstance(closed, Invalid | Unavailable), closed
        plan.refresh_from_db()
        assert plan.phase == "Active"
        assert not child.usage_closings.exists()
    last_month(group)()
    assert {child.usage_closings.count() for child in children} == {1}
    assert_whole(group, *children)


def test_an_account_leaves_no_payer_above_its_parent_while_that_gets_a_charge_for_it(
    organization: Organization, group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    low = make.a_ready_account(organization, "low")
    an_affiliation(eu, group)
    an_affiliation(low, eu)
    in_months.go()
    spec = ChargeSpec("inv-9", Decimal("120.00"), "USD", month(), sub_account="low")
    refusal = then(partial(an_affiliation, low), partial(_report, group, spec))
    assert isinstance(refusal, Invalid)
    assert "low is paid by low" in str(refusal)


def _report(debtor: BillingAccount, spec: ChargeSpec) -> Charge:
    return report_charge(debtor.organization_id, debtor.name, spec, actor=make.PLATFORM)
