"""Plans of more months than one: who is invoiced in each is judged, shown and approved before the first begins."""

from typing import Any

import pytest

from billing.admin.affiliation_request import affiliation_panels
from billing.admin.proposals import change
from billing.models import ApprovalRequest, BillingAccount, BillingAccountAffiliation
from billing.models.affiliation import payer_of_record
from billing.services.affiliations import conditions
from billing.services.affiliations.cancellations import cancel
from billing.services.approvals.decisions import StaleReview
from billing.services.approvals.requests import renew
from milo.errors import Invalid
from projects.models import Organization
from tests.support import make
from tests.support.affiliations import Months, an_affiliation, in_months, month

__all__ = ["in_months"]
pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def group(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization, "group")


@pytest.fixture
def apac(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization, "apac")


@pytest.fixture
def eu(organization: Organization) -> BillingAccount:
    """An account that is used."""
    account = make.a_ready_account(organization, "eu")
    make.a_binding(make.a_project(organization, "shop"), account)
    return account


def a_request(child: BillingAccount, parent: BillingAccount, after: int) -> ApprovalRequest:
    proposal = {"parentRef": {"name": parent.name}, "effectiveFrom": f"{month(after):%Y-%m}"}
    return make.a_request(child, "Affiliate", proposal=proposal)


def approved(child: BillingAccount, parent: BillingAccount, after: int) -> None:
    make.approve(a_request(child, parent, after).pk, actor=make.APPROVER)


def refused(child: BillingAccount, parent: BillingAccount, **plan: Any) -> list[str]:
    """The causes for which a plan is refused, which leaves no plan behind."""
    before = BillingAccountAffiliation.objects.count()
    with pytest.raises(Invalid) as refusal:
        an_affiliation(child, parent, **plan)
    assert BillingAccountAffiliation.objects.count() == before
    return [cause.message for cause in refusal.value.causes]


def test_a_plan_that_changes_who_is_invoiced_in_a_later_month_needs_a_second_person(
    group: BillingAccount, apac: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    approved(eu, apac, 3)
    # apac is unused: in its first month nobody who is used gets another payer
    assert refused(apac, group, after=2) == [
        "changes who is payer of record of an account that is used: ask for act Affiliate"
    ]
    request = a_request(apac, group, 2)
    assert change(request) == [
        f"Payer of record of apac from {month(2):%Y-%m} on: apac → group",
        f"Payer of record of eu from {month(3):%Y-%m} on: apac → group",
    ]
    rows = affiliation_panels(request)[0].rows
    assert [row[:4] for row in rows] == [
        ["apac", f"from {month(2):%Y-%m} on", "apac", "group"],
        ["eu", f"from {month(3):%Y-%m} on", "apac", "group"],
    ]
    make.approve(request.pk, actor=make.APPROVER)
    in_months.go(3)
    assert payer_of_record(eu, month()) == group


def test_a_plan_made_in_between_makes_a_request_stale(
    organization: Organization, group: BillingAccount, apac: BillingAccount, eu: BillingAccount
) -> None:
    request = a_request(eu, apac, 1)
    top = make.a_ready_account(organization, "top")
    an_affiliation(apac, group, after=2)
    an_affiliation(group, top, after=3)
    with pytest.raises(StaleReview):
        make.approve(request.pk, actor=make.APPROVER)
    assert BillingAccountAffiliation.objects.filter(account=eu).count() == 0
    second = a_request(make.a_ready_account(organization, "other"), apac, 1)
    assert [row[1:4] for row in affiliation_panels(second)[0].rows] == [
        [f"from {month(1):%Y-%m} until {month(2):%Y-%m}", "other", "apac"],
        [f"from {month(2):%Y-%m} until {month(3):%Y-%m}", "other", "group"],
        [f"from {month(3):%Y-%m} on", "other", "top"],
    ]


def test_a_review_names_the_plan_that_is_cancelled_for_the_new_one(
    group: BillingAccount, apac: BillingAccount, eu: BillingAccount
) -> None:
    request = a_request(eu, apac, 1)
    plan = an_affiliation(eu, group, payer="Self", after=2)
    with pytest.raises(StaleReview):
        make.approve(request.pk, actor=make.APPROVER)
    plan.refresh_from_db()
    assert plan.phase == "Scheduled"
    renew(request.pk, actor=make.REQUESTER)
    request.refresh_from_db()
    assert change(request) == [
        f"Payer of record of eu from {month(1):%Y-%m} on: eu → apac",
        f"Plan {plan.name} (group, from {month(2):%Y-%m} on): Scheduled → Cancelled",
    ]
    make.approve(request.pk, actor=make.APPROVER)
    plan.refresh_from_db()
    assert plan.phase == "Cancelled"


def test_plans_of_unused_accounts_need_nobody(
    organization: Organization, group: BillingAccount, apac: BillingAccount, in_months: Months
) -> None:
    eu = make.a_ready_account(organization, "eu")
    an_affiliation(eu, apac, after=2)
    an_affiliation(apac, group, after=1)
    # approved with what is planned above it in view: the plan above needs no approval of its own when it is due
    in_months.go(2)
    assert payer_of_record(eu, month()) == group


def test_a_plan_above_is_a_fact_though_an_approved_one_below_comes_later(
    organization: Organization, group: BillingAccount, apac: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    an_affiliation(apac, group, after=1)
    approved(eu, apac, 2)
    in_months.go(2)
    assert payer_of_record(eu, month()) == group


def test_an_approved_plan_fails_where_nobody_saw_who_is_invoiced_now(
    group: BillingAccount, apac: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    above = an_affiliation(apac, group, after=1)
    approved(eu, apac, 2)
    assert conditions.foresee() == 0
    cancel(above.pk, reason="put off", actor=make.PLATFORM)
    assert conditions.foresee() == 1
    in_months.go(2)
    plan = BillingAccountAffiliation.objects.get(account=eu)
    assert (plan.phase, plan.outcome) == (
        "Failed",
        "eu would be invoiced to apac, which nobody has approved: ask for act Affiliate again",
    )
    assert payer_of_record(eu, month()) == eu


def test_an_approved_plan_may_fall_back_to_what_was_seen_first(
    group: BillingAccount, apac: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    approved(eu, apac, 2)
    approved(apac, group, 1)
    cancel(BillingAccountAffiliation.objects.get(account=apac).pk, reason="put off", actor=make.PLATFORM)
    in_months.go(2)
    assert payer_of_record(eu, month()) == apac


def test_a_cycle_in_a_later_month_is_refused_with_its_month(
    organization: Organization, group: BillingAccount, apac: BillingAccount
) -> None:
    an_affiliation(group, apac, after=3)
    assert refused(apac, group, after=2) == [f"in {month(3):%Y-%m}: apac is above group already: group → apac"]


def test_depth_and_size_of_later_months_are_limited(
    organization: Organization, group: BillingAccount, apac: BillingAccount, settings: Any
) -> None:
    eu, top = make.a_ready_account(organization, "eu"), make.a_ready_account(organization, "top")
    an_affiliation(eu, apac, after=3)
    an_affiliation(group, top)
    settings.MILO_HIERARCHY_DEPTH = 3
    assert refused(apac, group, after=2) == [
        f"in {month(3):%Y-%m}: eu would be 4 levels deep, 3 are allowed",
    ]
    settings.MILO_HIERARCHY_DEPTH, settings.MILO_HIERARCHY_SIZE = 2, 3
    # what is so from the first month on is said once
    assert refused(apac, group, after=2) == [
        "apac would be 3 levels deep, 2 are allowed",
        f"in {month(3):%Y-%m}: eu would be 4 levels deep, 2 are allowed",
        f"in {month(3):%Y-%m}: the tree of top would have 4 accounts, 3 are allowed",
    ]


def test_the_currency_of_a_payer_of_record_that_is_planned_counts(
    organization: Organization, group: BillingAccount, apac: BillingAccount
) -> None:
    yen = make.a_ready_account(organization, "yen", currency_code="JPY")
    an_affiliation(apac, group, after=1)
    assert refused(yen, apac, after=2) == ["yen bills in JPY, its payer of record group in USD"]
