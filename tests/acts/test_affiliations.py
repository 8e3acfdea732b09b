"""Accounts under accounts: plans, facts, refusals, who is payer of record, and what a paid account may do without."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from billing.models import (
    AccountPayer,
    BillingAccount,
    BillingAccountAffiliation,
    BillingAccountBinding,
    Notice,
)
from billing.models.affiliation import paid_accounts, payer_of_record
from billing.services.accounts import AccountSpec, revise
from billing.services.affiliations import conditions, facts, inspection, payers
from billing.services.affiliations.cancellations import cancel
from billing.services.affiliations.creation import create_affiliation
from billing.services.affiliations.specs import AffiliationSpec
from billing.services.affiliations.trees import Tree
from billing.services.holds import set_hold
from billing.services.notices.deliveries import text_of
from milo.errors import AlreadyExists, Forbidden, Invalid
from milo.kube.kinds import kind_of
from milo.kube.models import Change
from projects.models import Organization
from tests.support import make, tamper
from tests.support.affiliations import Months, an_affiliation, in_months, month
from tests.support.ledger import nothing_changes

__all__ = ["in_months"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def group(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization, "group", invoice_email_addresses=["group@acme-corp.example"])


@pytest.fixture
def eu(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization, "eu", invoice_email_addresses=["eu@acme-corp.example"])


def messages(refusal: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [cause.message for cause in refusal.value.causes]


def planned(child: BillingAccount, parent: BillingAccount | None, **spec: Any) -> pytest.ExceptionInfo[Invalid]:
    with pytest.raises(Invalid) as refusal:
        an_affiliation(child, parent, **spec)
    return refusal


def test_a_plan_is_no_fact_until_its_month_comes(group: BillingAccount, eu: BillingAccount, in_months: Months) -> None:
    plan = an_affiliation(eu, group, after=2)
    assert plan.phase == "Scheduled"
    assert payer_of_record(eu, month(2)) == eu
    in_months.go()
    assert payer_of_record(eu, month()) == eu
    in_months.go()
    plan.refresh_from_db()
    eu.refresh_from_db()
    assert (plan.phase, eu.paid_by) == ("Active", group)
    assert payer_of_record(eu, month()) == group
    assert payer_of_record(eu, month() - timedelta(days=1)) == eu
    assert set(paid_accounts(group, month())) == {group, eu}
    assert set(paid_accounts(eu, month())) == set()


def test_a_late_worker_makes_facts_from_the_planned_month_on(
    group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    an_affiliation(eu, group, after=1)
    planned_from, before = month(1), timezone.now()
    in_months.go(3, work=False)
    assert payer_of_record(eu, month()) == eu
    facts.activate_due()
    row = AccountPayer.objects.get(account=eu)
    assert (row.payer, row.from_month, row.until_month) == (group, planned_from, None)
    assert Tree.of(eu.organization_id, month(), known_at=before).payer(eu.pk) == eu.pk
    assert Tree.of(eu.organization_id, month()).payer(eu.pk) == group.pk


def test_an_unused_account_is_under_another_at_once_and_needs_no_profile(
    organization: Organization, group: BillingAccount
) -> None:
    eu = make.an_incomplete_account(organization, "eu")
    affiliation = an_affiliation(eu, group)
    assert (affiliation.phase, eu.phase, eu.paid_by) == ("Active", "Ready", group)
    binding = make.a_binding(make.a_project(organization), eu)
    rows = BillingAccountBinding.objects.paying().with_payer_of_record()
    row: Any = rows.get(pk=binding.pk)
    assert (row.account_id, row.payer_of_record) == (eu.pk, group.pk)


def test_payer_of_record_goes_up_as_far_as_parents_pay(organization: Organization) -> None:
    top, middle, low, apart = (make.a_ready_account(organization, name) for name in ("top", "middle", "low", "apart"))
    an_affiliation(low, middle)
    an_affiliation(apart, middle, payer="Self")
    assert payer_of_record(low, month()) == middle
    an_affiliation(middle, top)
    assert payer_of_record(low, month()) == payer_of_record(middle, month()) == top
    assert payer_of_record(apart, month()) == apart
    low.refresh_from_db()
    assert low.paid_by == top
    assert set(paid_accounts(top, month())) == {top, middle, low}
    assert [str(each) for each in payers.differences(organization.pk)] == [*inspection.breaks()] == []


def test_to_leave_a_payer_is_a_new_affiliation(group: BillingAccount, eu: BillingAccount, in_months: Months) -> None:
    first = an_affiliation(eu, group)
    second = an_affiliation(eu, None, after=1)
    in_months.go()
    first.refresh_from_db()
    second.refresh_from_db()
    eu.refresh_from_db()
    assert (first.phase, first.ended_from, first.superseded_by) == ("Superseded", month(), second)
    assert (second.phase, second.supersedes, eu.paid_by) == ("Active", first, None)
    assert payer_of_record(eu, month() - timedelta(days=1)) == group
    assert payer_of_record(eu, month()) == eu
    assert [*inspection.breaks()] == []


def test_an_account_without_a_profile_cannot_leave_its_payer(organization: Organization, group: BillingAccount) -> None:
    eu = make.an_incomplete_account(organization, "eu")
    an_affiliation(eu, group)
    assert messages(planned(eu, None, after=1)) == [
        "eu has no payment profile of its own: add one before it pays itself",
        "eu has no payment terms of its own: add them before it pays itself",
    ]


def test_every_broken_rule_is_named_at_once(organization: Organization, eu: BillingAccount) -> None:
    yen = make.a_ready_account(organization, "yen", currency_code="JPY")
    make.in_phase(yen, "Suspended")
    refusal = planned(eu, yen, after=13)
    assert {cause.field for cause in refusal.value.causes} == {
        "spec.effectiveFrom",
        "spec.parentRef.name",
        "spec.payer",
    }
    assert messages(refusal) == [
        "is more than 12 months ahead",
        "billing account yen is Suspended, not Ready: under review",
        "eu bills in USD, its payer of record yen in JPY",
    ]
    # reported under it, the account keeps its own currency
    assert messages(planned(eu, yen, after=1, payer="Self")) == [
        "billing account yen is Suspended, not Ready: under review"
    ]


def test_names_that_no_account_has_are_refused(organization: Organization, eu: BillingAccount) -> None:
    with pytest.raises(Invalid) as refusal:
        create_affiliation(organization.pk, "a", AffiliationSpec("us", "", "group"), actor=make.PLATFORM)
    assert messages(refusal) == [
        "is required",
        "there is no billing account us in this organization",
        "there is no billing account group in this organization",
    ]
    with pytest.raises(Invalid) as refusal:
        create_affiliation(organization.pk, "a", AffiliationSpec("eu", "r", "eu"), actor=make.PLATFORM)
    assert "an account cannot be its own parent" in messages(refusal)


def test_a_cycle_is_refused_plans_included(organization: Organization) -> None:
    group, apac, eu = (make.a_ready_account(organization, name) for name in ("group", "apac", "eu"))
    an_affiliation(apac, eu)
    an_affiliation(group, apac, after=1)
    assert messages(planned(eu, group, after=1)) == ["eu is above group already: group → apac → eu"]
    assert BillingAccountAffiliation.objects.count() == 2


def test_depth_and_size_are_limited_for_the_whole_subtree(organization: Organization, settings: Any) -> None:
    settings.MILO_HIERARCHY_DEPTH = 3
    accounts = [make.a_ready_account(organization, f"level-{level}") for level in range(4)]
    an_affiliation(accounts[3], accounts[2])
    an_affiliation(accounts[1], accounts[0])
    refusal = planned(accounts[2], accounts[1])
    assert messages(refusal) == ["level-3 would be 4 levels deep, 3 are allowed"]
    settings.MILO_HIERARCHY_DEPTH, settings.MILO_HIERARCHY_SIZE = 5, 3
    assert messages(planned(accounts[2], accounts[1])) == ["the tree of level-0 would have 4 accounts, 3 are allowed"]


def test_the_same_relation_twice_and_a_second_plan(group: BillingAccount, eu: BillingAccount) -> None:
    assert messages(planned(eu, None, after=1)) == ["eu stands alone already"]
    an_affiliation(eu, group, payer="Self", name="eu-under-group")
    assert messages(planned(eu, group, payer="Self", after=1)) == ["eu is under group already, by eu-under-group"]
    older = an_affiliation(eu, group, after=2, name="older")
    newer = an_affiliation(eu, group, after=1, name="newer")
    older.refresh_from_db()
    assert (older.phase, older.outcome, newer.phase) == ("Cancelled", "newer was planned instead", "Scheduled")
    with pytest.raises(AlreadyExists):
        an_affiliation(eu, group, after=1, name="newer")


def test_the_past_is_refused_and_the_present_month_of_a_used_account(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    assert messages(_past(eu, group)) == ["is in the past: correct the payer of a project instead"]
    us = make.a_ready_account(organization, "us")
    an_affiliation(us, group, payer="Self", name="us-under-group")
    assert messages(_past(us, group)) == [
        "is in the past: correct the payer of a project instead",
        f"us-under-group is in force from {month():%Y-%m} on: begin later",
    ]
    make.a_binding(make.a_project(organization), eu)
    assert messages(planned(eu, group)) == [
        "must be a month to come, because eu is used already",
        "changes who is payer of record of an account that is used: ask for act Affiliate",
    ]
    # reported only: nobody else is invoiced
    assert an_affiliation(eu, group, payer="Self", after=1).phase == "Scheduled"


def _past(child: BillingAccount, parent: BillingAccount) -> pytest.ExceptionInfo[Invalid]:
    spec = AffiliationSpec(child.name, "r", parent.name, "", (month() - timedelta(days=1)).replace(day=1))
    with pytest.raises(Invalid) as refusal:
        create_affiliation(child.organization_id, "past", spec, actor=make.PLATFORM)
    return refusal


def test_what_must_be_settled_before_another_pays(organization: Organization, group: BillingAccount) -> None:
    eu = make.a_ready_account(organization, "eu")
    request = make.a_request(eu)
    (message,) = messages(planned(eu, group))
    assert message == f"request {request.name} to ReviseTerms is pending: have it decided, or withdraw it"


def test_what_must_be_settled_before_another_payer_takes_over_the_account_or_one_below_it(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    below, other = (make.a_ready_account(organization, name) for name in ("below", "other"))
    an_affiliation(eu, group)
    an_affiliation(below, eu)
    request = make.a_request(eu)
    hold = set_hold(below.pk, type="Dispute", message="invoice 12", actor=make.PLATFORM)
    pending = f"request {request.name} to ReviseTerms is pending: have it decided, or withdraw it"
    held = f"below: {hold.described}: request its release first"
    with nothing_changes():
        assert messages(planned(eu, other, after=1)) == [held, pending]
    # who leaves to pay itself is taken in by nobody, and takes those below it along
    with nothing_changes():
        assert messages(planned(eu, None, after=1)) == [held]


def test_addresses_of_a_parent_that_took_nobody_in_go_with_its_own_notices(
    group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    an_affiliation(eu, group, after=1)
    make.in_phase(group, "Suspended")
    in_months.go()
    told = Notice.objects.filter(about="AffiliationFailed").values_list("recipient", "account__name")
    assert dict(told) == {"eu@acme-corp.example": "eu", "group@acme-corp.example": "group"}
    for notice in Notice.objects.filter(about="AffiliationFailed"):
        assert "of billing account eu could not take effect" in text_of(notice).plain


def test_a_plan_that_no_longer_holds_fails_with_every_cause_and_people_are_told(
    group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    plan = an_affiliation(eu, group, after=1)
    make.in_phase(group, "Suspended")
    assert conditions.foresee() == 1
    assert conditions.foresee() == 0
    plan.refresh_from_db()
    assert plan.obstacle == "billing account group is Suspended, not Ready: under review"
    in_months.go()
    plan.refresh_from_db()
    assert (plan.phase, plan.outcome) == ("Failed", "billing account group is Suspended, not Ready: under review")
    assert payer_of_record(eu, month()) == eu
    told = Notice.objects.filter(about="AffiliationFailed").values_list("recipient", flat=True)
    assert set(told) == {"eu@acme-corp.example", "group@acme-corp.example"}


def test_will_take_effect_says_since_when(group: BillingAccount, eu: BillingAccount, in_months: Months) -> None:
    in_months.go()
    plan = an_affiliation(eu, group, after=1)
    kind = kind_of(BillingAccountAffiliation)
    assert kind

    def says(days: int) -> tuple[str, str]:
        in_months.before(month(1), timedelta(days=days))
        conditions.foresee()
        will, _taken = kind.status(kind.rows([plan.pk])[plan.pk])["conditions"]
        return will["status"], will["lastTransitionTime"][:10]

    planned_on, at_risk_on, again_on = (str(month(1) - timedelta(days=days)) for days in (30, 20, 5))
    assert says(29) == ("True", planned_on)
    in_months.before(month(1), timedelta(days=20))
    make.in_phase(group, "Suspended")
    assert says(20) == ("False", at_risk_on)
    # another obstacle is no transition
    with tamper.guards_off():
        BillingAccount.objects.filter(pk=group.pk).update(phase_message="a court asks")
    assert says(10) == ("False", at_risk_on)
    with tamper.guards_off():
        BillingAccount.objects.filter(pk=group.pk).update(phase="Ready")
    assert says(5) == ("True", again_on)


def test_people_are_told_a_week_and_a_day_before(group: BillingAccount, eu: BillingAccount, in_months: Months) -> None:
    in_months.go()
    an_affiliation(eu, group, after=1)
    make.in_phase(group, "Suspended")
    for days, told in ((8, 0), (6, 2), (5, 2), (0.5, 4)):
        in_months.before(month(1), timedelta(days=days))
        conditions.foresee()
        assert Notice.objects.filter(about="AffiliationAtRisk").count() == told


def test_a_plan_is_cancelled_for_a_reason(group: BillingAccount, eu: BillingAccount, in_months: Months) -> None:
    plan = an_affiliation(eu, group, after=1)
    with pytest.raises(Invalid):
        cancel(plan.pk, reason=" ", actor=make.PLATFORM)
    cancel(plan.pk, reason="put off", actor=make.PLATFORM)
    in_months.go()
    plan.refresh_from_db()
    assert (plan.phase, plan.outcome) == ("Cancelled", "put off")
    with pytest.raises(Invalid, match="is Cancelled, and no plan"):
        cancel(plan.pk, reason="again", actor=make.PLATFORM)
    viewer = make.an_actor(roles={eu.organization: "billing-viewer"})
    with pytest.raises(Forbidden):
        cancel(plan.pk, reason="again", actor=viewer)


def test_what_is_due_is_not_cancelled_however_late_the_worker_is(
    group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    plan = an_affiliation(eu, group, after=1)
    first = in_months.go(work=False)
    with pytest.raises(Invalid, match="is Active, and no plan"):
        cancel(plan.pk, reason="put off", actor=make.PLATFORM)
    plan.refresh_from_db()
    assert (plan.phase, payer_of_record(eu, first)) == ("Active", group)


def test_a_project_is_bound_only_while_the_payer_of_record_is_ready(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    an_affiliation(eu, group)
    make.in_phase(group, "Suspended")
    with pytest.raises(Invalid) as refusal:
        make.a_binding(make.a_project(organization), eu)
    assert messages(refusal) == [
        "billing account eu is Ready, but its payer of record group is Suspended: under review"
    ]
    # the account itself keeps its phase
    eu.refresh_from_db()
    assert eu.phase == "Ready"


@pytest.mark.once
def test_a_suspended_payer_of_record_takes_nobody_in_by_way_of_a_ready_account(
    organization: Organization, group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    de, fr = (make.a_ready_account(organization, name) for name in ("de", "fr"))
    an_affiliation(eu, group)
    an_affiliation(de, eu, after=1)
    make.in_phase(group, "Suspended")
    why = "billing account eu is Ready, but its payer of record group is Suspended: under review"
    with pytest.raises(Invalid) as refusal:
        an_affiliation(fr, eu)
    assert [(cause.field, cause.message) for cause in refusal.value.causes] == [("spec.parentRef.name", why)]
    # it answers for one that pays itself no more than before
    an_affiliation(fr, eu, payer="Self")
    in_months.go()
    assert BillingAccountAffiliation.objects.get(account=de).outcome == why
    assert payer_of_record(de, month()) == de


def test_what_follows_is_recounted(organization: Organization, group: BillingAccount, eu: BillingAccount) -> None:
    an_affiliation(eu, group)
    assert inspection.inspect() == 0
    with tamper.guards_off():
        AccountPayer.objects.filter(account=eu).delete()
    assert inspection.inspect() == 1
    assert [str(each) for each in payers.differences(organization.pk)] == [
        f"account {eu.pk} paid by account {group.pk} from {month():%Y-%m} is missing"
    ]
    call_command("hierarchy", "rebuild", "--organization", "acme-corp")
    call_command("hierarchy", "verify")
    assert [*inspection.breaks()] == []


def test_each_payer_of_record_was_one(organization: Organization, group: BillingAccount, eu: BillingAccount) -> None:
    an_affiliation(eu, group)
    de, unready = make.a_ready_account(organization, "de"), make.an_incomplete_account(organization, "unready")
    with tamper.guards_off():
        for payer, until in ((eu, None), (unready, None), (eu, month(1))):
            row = AccountPayer.objects.create(account=de, payer=payer, from_month=month(), until_month=until)
            found = [fault for fault in inspection.breaks() if "payer of record of" in fault]
            says = "was paid for by another then" if payer == eu else "never was Ready"
            assert found == [f"acme-corp: {payer.name}, payer of record of de, {says}"]
            row.delete()
        make.in_phase(eu, "Closed")
        BillingAccount.objects.filter(pk=eu.pk).update(phase="Archived", archived_at=timezone.now())
        row = AccountPayer.objects.create(account=de, payer=eu, from_month=month(1))
        assert (
            f"acme-corp: eu, payer of record of de from {month(1):%Y-%m} on, was Archived by then"
            in inspection.breaks()
        )
        row.delete()
        # a month in which it paid itself
        row = AccountPayer.objects.create(account=de, payer=eu, from_month=month(-1), until_month=month())
        assert not [fault for fault in inspection.breaks() if "payer of record of" in fault]


def test_relations_that_guards_would_refuse_are_found(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    de, fr, it = (make.a_ready_account(organization, name) for name in ("de", "fr", "it"))
    early = an_affiliation(eu, group, after=1, name="early")
    past = an_affiliation(de, group, after=1, name="past")
    superseded, ended = an_affiliation(fr, group, name="superseded"), an_affiliation(it, group, name="ended")
    rows, now = BillingAccountAffiliation.objects, timezone.now()
    with tamper.guards_off():
        rows.filter(pk=early.pk).update(phase="Active", activated_at=now)
        AccountPayer.objects.create(account=eu, payer=group, from_month=month(1))
        BillingAccount.objects.filter(pk=eu.pk).update(paid_by=group)
        rows.filter(pk=past.pk).update(effective_from=date(2020, 1, 1))
        for row, phase in ((superseded, "Superseded"), (ended, "Ended")):
            rows.filter(pk=row.pk).update(phase=phase, ended_from=month(1), finished_at=now)
        found = [*inspection.breaks()]
        assert {fault for fault in found if "account " not in fault} == {
            f"acme-corp: eu is paid by group, which is payer of record from {month(1):%Y-%m} on",
            "acme-corp: affiliation early was a fact before its first month",
            "acme-corp: affiliation past was planned after its first month",
            "acme-corp: affiliation superseded is Superseded, and no other took over",
            "acme-corp: affiliation ended is Ended, and it is not archived",
        }


def test_what_was_planned_of_an_unused_account_needs_an_approval_once_it_is_used(
    organization: Organization, group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    plan = an_affiliation(eu, group, after=1)
    make.a_binding(make.a_project(organization), eu)
    conditions.foresee()
    plan.refresh_from_db()
    assert plan.obstacle == "changes who is payer of record of an account that is used: ask for act Affiliate"
    in_months.go()
    plan.refresh_from_db()
    assert (plan.phase, payer_of_record(eu, month())) == ("Failed", eu)


def test_the_currency_of_an_account_that_another_pays_for_stays(
    organization: Organization, group: BillingAccount
) -> None:
    eu = make.an_incomplete_account(organization, "eu")
    an_affiliation(eu, group)
    with pytest.raises(Invalid) as refusal:
        revise(eu.pk, AccountSpec(currency_code="EUR"), actor=make.PLATFORM)
    assert [cause.field for cause in refusal.value.causes] == ["spec.currencyCode"]


def test_two_accounts_may_be_under_one_another_at_different_times(
    organization: Organization, in_months: Months
) -> None:
    first, second, third = (make.a_ready_account(organization, name) for name in ("first", "second", "third"))
    an_affiliation(first, second)
    an_affiliation(first, third, after=1)
    an_affiliation(second, first, after=1)
    in_months.go()
    second.refresh_from_db()
    assert (second.paid_by, payer_of_record(second, month())) == (third, third)
    assert payer_of_record(first, month(-1)) == second
    assert list(inspection.breaks()) == []


def test_of_one_month_an_account_may_leave_the_one_that_comes_under_it_in_any_order_of_plans(
    organization: Organization, group: BillingAccount, in_months: Months
) -> None:
    below, above = (make.a_ready_account(organization, name) for name in ("below", "above"))
    an_affiliation(below, above)
    leaving = an_affiliation(below, group, after=1)
    an_affiliation(above, below, after=1)
    cancel(leaving.pk, reason="planned anew", actor=make.PLATFORM)
    an_affiliation(below, group, after=1)
    in_months.go(work=False)
    facts.make_due_facts(organization.pk)
    above.refresh_from_db()
    assert above.paid_by == group
    assert list(inspection.breaks()) == []


def test_the_newer_of_two_plans_names_the_older(group: BillingAccount, eu: BillingAccount) -> None:
    an_affiliation(eu, group, after=1, name="older")
    newer = an_affiliation(eu, group, after=2, name="newer")
    planned_event = Change.objects.get(uid=newer.uid)
    assert planned_event.message == "one invoice; instead of older"


@pytest.mark.parametrize("approved", [False, True])
def test_a_newer_plan_does_not_cancel_what_is_due(
    organization: Organization, group: BillingAccount, eu: BillingAccount, in_months: Months, *, approved: bool
) -> None:
    due = an_affiliation(eu, group, after=1)
    other = make.a_ready_account(organization, "other")
    first = in_months.go(work=False)
    if approved:
        make.an_approved(eu, "Affiliate", proposal={"parentRef": {"name": other.name}})
    else:
        an_affiliation(eu, other, after=1)
    due.refresh_from_db()
    assert due.phase == "Active"
    assert payer_of_record(eu, first) == group
