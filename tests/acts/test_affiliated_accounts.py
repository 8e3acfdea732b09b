"""What follows the payer of record: approvals, charges, closed months, closure, archival and usage."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from billing.admin.proposals import change
from billing.models import (
    AccountPayer,
    BillingAccount,
    BillingAccountAffiliation,
    Charge,
    Notice,
    Suspension,
    UsageClosing,
    UsageRollup,
)
from billing.models.affiliation import payer_of_record
from billing.models.default_account import PAYER_ANNOTATION
from billing.services.accounts import AccountSpec, revise
from billing.services.affiliations import inspection
from billing.services.approvals.decisions import StaleReview
from billing.services.approvals.requests import renew
from billing.services.charges import ChargeSpec, report_charge, settle_charge
from billing.services.closed_months import close_month
from billing.services.default_accounts import bind_waiting, set_default
from billing.services.notices.deliveries import announce_due, text_of
from billing.services.retention import archival
from billing.services.suspensions import resolve
from milo import audit
from milo.access import Actor
from milo.errors import Invalid
from milo.kube.kinds import kind_of
from milo.kube.metadata import Metadata
from projects.models import Organization, Project
from projects.services.organizations import OrganizationSpec
from projects.services.projects import ProjectSpec, create_project
from tests.support import make
from tests.support.affiliations import Months, an_affiliation, in_months, month
from tests.support.usage import an_event, assert_rollup_is_a_recount, taken

__all__ = ["in_months"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def group(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization, "group")


@pytest.fixture
def eu(organization: Organization, group: BillingAccount) -> BillingAccount:
    account = make.a_ready_account(organization, "eu")
    an_affiliation(account, group)
    return account


def a_charge(account: BillingAccount, sub_account: str = "", of: date | None = None) -> Charge:
    number = make.a_name("inv")
    spec = ChargeSpec(number, Decimal("120.00"), "USD", date(2026, 12, 1), sub_account=sub_account, month=of)
    return report_charge(account.organization_id, account.name, spec, name=number, actor=make.PLATFORM)


def refusals(act: Callable[[], object]) -> dict[str, str]:
    """The causes of a refusal, by their fields."""
    with pytest.raises(Invalid) as refusal:
        act()
    return {cause.field: cause.message for cause in refusal.value.causes}


def test_charges_are_reported_to_the_payer_of_record(group: BillingAccount, eu: BillingAccount) -> None:
    a_charge(group)
    with pytest.raises(Invalid, match="eu is paid by group: report the charge there"):
        a_charge(eu)


def test_a_charge_names_the_account_whose_usage_it_is_for(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    charge = a_charge(group, "eu")
    assert (charge.account, charge.sub_account) == (group, eu)
    other = make.a_ready_account(organization, "other")
    field = "spec.subAccountRef.name"
    assert refusals(lambda: a_charge(other, "eu")) == {
        field: f"eu is paid by group in {month():%Y-%m}: report the charge there"
    }
    assert refusals(lambda: a_charge(group, "none")) == {field: "there is no billing account none in this organization"}


def test_a_charge_of_a_month_goes_to_who_was_payer_of_record_then(
    organization: Organization, group: BillingAccount, in_months: Months
) -> None:
    us = make.a_ready_account(organization, "us")
    an_affiliation(us, group, after=1)
    before = month()
    now = in_months.go()
    assert refusals(lambda: a_charge(us)) == {
        "spec.billingAccountRef.name": "us is paid by group: report the charge there"
    }
    assert a_charge(us, of=before).month == before
    assert a_charge(group, "us", of=now).sub_account == us
    assert refusals(lambda: a_charge(group, "us", of=before)) == {
        "spec.subAccountRef.name": f"us is paid by us in {before:%Y-%m}: report the charge there"
    }
    assert set(refusals(lambda: a_charge(group, of=month(1)))) == {"spec.month"}
    for charge in Charge.objects.all():
        settle_charge(charge.pk, reference="bank-1", actor=make.PLATFORM)
    an_affiliation(us, after=1)
    in_months.go()
    assert refusals(lambda: a_charge(us, of=now)) == {
        "spec.billingAccountRef.name": f"us was paid by group in {now:%Y-%m}: report the charge there"
    }


def test_a_charge_goes_to_the_new_payer_of_record_before_the_worker_has_said_so(
    organization: Organization, group: BillingAccount, in_months: Months
) -> None:
    us = make.a_ready_account(organization, "us")
    an_affiliation(us, group, after=1)
    in_months.go(work=False)
    with pytest.raises(Invalid, match="us is paid by group: report the charge there"):
        a_charge(us)


def test_a_dry_run_answers_as_if_what_is_due_were_a_fact(
    organization: Organization, group: BillingAccount, in_months: Months
) -> None:
    us = make.a_ready_account(organization, "us")
    an_affiliation(us, group, after=1)
    now = in_months.go(work=False)
    closing = partial(close_month, us.pk, month(-1), reason="invoiced", actor=make.PLATFORM)
    other = make.a_ready_account(organization, "other")
    for act, refusal in (
        (partial(a_charge, us), "us is paid by group: report the charge there"),
        (partial(an_affiliation, us, group, after=1), "us is under group already"),
        (
            partial(make.a_request, us, "Affiliate", proposal={"parentRef": {"name": "group"}}),
            "us is under group already",
        ),
    ):
        with audit.dry_run(), pytest.raises(Invalid) as refused:
            act()
        assert any(refusal in cause.message for cause in refused.value.causes)
    with audit.dry_run():
        assert a_charge(group, "us", of=now).sub_account == us
        # it paid itself then
        assert closing().account == us
        an_affiliation(other, us, after=1)
    us.refresh_from_db()
    assert (us.paid_by, BillingAccountAffiliation.objects.get().phase) == (None, "Scheduled")
    assert not Charge.objects.exists()
    assert not UsageClosing.objects.exists()
    in_months.go(work=False)
    with audit.dry_run(), pytest.raises(Invalid, match=f"group closes {now:%Y-%m} for it"):
        close_month(us.pk, now, reason="invoiced", actor=make.PLATFORM)
    assert not UsageClosing.objects.exists()


def test_charges_for_an_account_keep_it_with_its_payer_of_record(group: BillingAccount, eu: BillingAccount) -> None:
    charge = a_charge(group, "eu")
    with pytest.raises(Invalid, match=f"charge {charge.name} of 120.00 USD is outstanding: settle it first"):
        an_affiliation(eu, after=1)
    settle_charge(charge.pk, reference="bank-1", actor=make.PLATFORM)
    an_affiliation(eu, after=1)


def test_charges_for_accounts_below_keep_an_account_with_its_payer_of_record(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    de = make.a_ready_account(organization, "de")
    an_affiliation(de, eu)
    charge = a_charge(group, "de")
    with pytest.raises(Invalid, match=f"charge {charge.name} of 120.00 USD is outstanding: settle it first"):
        an_affiliation(eu, after=1)


def test_a_charge_keeps_an_account_with_the_payer_of_record_alone_that_owes_it(
    organization: Organization, group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    now, other = month(), make.a_ready_account(organization, "other")
    an_affiliation(eu, other, after=1)
    in_months.go()
    # late, of the month in which `group` was payer of record, and of one in which it paid itself
    late = a_charge(group, "eu", of=now)
    own = a_charge(eu, of=month(-2))
    own_debt = f"charge {own.name} of 120.00 USD is outstanding: settle it first"
    charge = a_charge(other, "eu")
    leaving = partial(an_affiliation, eu, after=1)
    assert refusals(leaving) == {
        "spec.billingAccountRef.name": f"charge {charge.name} of 120.00 USD is outstanding: settle it first"
    }
    settle_charge(charge.pk, reference="bank-1", actor=make.PLATFORM)
    # what it owes itself, it settles before another pays
    assert refusals(lambda: an_affiliation(eu, group, after=1)) == {"spec.billingAccountRef.name": own_debt}
    assert leaving().phase == "Scheduled"
    in_months.go()
    eu.refresh_from_db()
    assert eu.paid_by is None
    assert set(Charge.objects.unsettled()) == {late, own}


def test_outstanding_charges_and_holds_come_before_another_pays(
    organization: Organization, group: BillingAccount
) -> None:
    us = make.a_ready_account(organization, "us")
    a_charge(us)
    with pytest.raises(Invalid) as refusal:
        an_affiliation(us, group)
    (cause,) = refusal.value.causes
    assert cause.message.endswith("of 120.00 USD is outstanding: settle it first")


def test_the_payer_of_record_closes_months_for_all_that_it_pays(
    group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    in_months.go()
    last = month() - timedelta(days=1)
    with pytest.raises(Invalid) as refusal:
        close_month(eu.pk, last, reason="invoiced", actor=make.PLATFORM)
    assert [cause.message for cause in refusal.value.causes] == [f"group closes {last:%Y-%m} for it"]
    with pytest.raises(Invalid) as refusal:
        close_month(eu.pk, month(), reason="invoiced", actor=make.PLATFORM)
    assert [cause.message for cause in refusal.value.causes] == [
        "has not ended yet, in UTC",
        f"group closes {month():%Y-%m} for it",
    ]
    close_month(group.pk, last, reason="invoiced", actor=make.PLATFORM)
    assert set(UsageClosing.objects.values_list("account__name", "opens_on")) == {("group", month()), ("eu", month())}


def test_a_month_that_an_account_pays_itself_it_closes_itself(
    organization: Organization, group: BillingAccount, in_months: Months
) -> None:
    us, project = make.a_ready_account(organization, "us"), make.a_project(organization)
    make.a_binding(project, us)
    own = month()
    taken(an_event(project))
    make.an_approved(us, "Affiliate", proposal={"parentRef": {"name": "group"}})
    in_months.go(2)
    last = month() - timedelta(days=1)
    with pytest.raises(Invalid) as refusal:
        close_month(group.pk, last, reason="invoiced", actor=make.PLATFORM)
    assert [cause.message for cause in refusal.value.causes] == [
        f"us has an open month, {own:%Y-%m}, which us pays: have that closed first"
    ]
    close_month(us.pk, own, reason="invoiced", actor=make.PLATFORM)
    close_month(group.pk, last, reason="invoiced", actor=make.PLATFORM)
    assert UsageClosing.objects.filter(account=us).count() == 2


def test_late_usage_is_billed_in_the_first_month_open_to_the_payer_of_its_month(
    organization: Organization, group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    project = make.a_project(organization)
    make.a_binding(project, eu)
    paid_by_group = timezone.now()
    make.an_approved(eu, "Affiliate", proposal={"parentRef": {"name": "group"}, "payer": "Self"})
    first = month()
    own = in_months.go()
    taken(an_event(project))
    now = in_months.go()

    def billed(at: datetime) -> set[date]:
        taken(an_event(project, time=at))
        rows = UsageRollup.objects.filter(account=eu, granularity="month", starts_on=at.date().replace(day=1))
        assert_rollup_is_a_recount()
        return set(rows.values_list("billed_in", flat=True))

    # its own closing says nothing of the month that the group pays
    close_month(eu.pk, own, reason="invoiced", actor=make.PLATFORM)
    assert billed(paid_by_group) == {first}
    close_month(group.pk, first, reason="invoiced", actor=make.PLATFORM)
    assert billed(paid_by_group) == {first, own}
    close_month(group.pk, own, reason="invoiced", actor=make.PLATFORM)
    assert billed(paid_by_group) == {first, own, now}
    own_usage = datetime(own.year, own.month, 3, tzinfo=UTC)
    assert billed(own_usage) == {own, now}


def test_usage_is_assigned_for_months_in_which_somebody_could_be_invoiced(
    organization: Organization, group: BillingAccount, in_months: Months
) -> None:
    project = make.a_project(organization)
    before = month()
    taken(an_event(project))
    child = make.an_incomplete_account(organization)
    an_affiliation(child, group, after=1)
    paid = in_months.go()
    taken(an_event(project))
    in_months.go()

    nobody = (
        f"nobody could be invoiced for {before:%Y-%m}: {child.name} was not Ready by itself, and had no payer of record"
    )

    def proposal(since: date, until: date) -> dict[str, str]:
        return {"project": project.name, "since": f"{since}T00:00:00Z", "until": f"{until}T00:00:00Z"}

    for until in (paid, month()):
        asked = partial(make.a_request, child, "AssignUsage", proposal=proposal(before, until))
        assert refusals(asked) == {"spec.proposal.since": nobody}
    make.an_approved(child, "AssignUsage", proposal=proposal(paid, month()))
    # a correction of the payer moves usage to the same month
    since, until = (datetime(each.year, each.month, 1, tzinfo=UTC) for each in (before, paid))
    with pytest.raises(Invalid) as refusal:
        make.a_payer_correction(project, child, since=since, until=until)
    assert nobody in [cause.message for cause in refusal.value.causes]
    # one that could be Ready by itself may answer for the time before it was opened
    make.a_request(group, "AssignUsage", proposal=proposal(before, paid))


def test_an_account_is_not_closed_while_others_are_under_it(group: BillingAccount, eu: BillingAccount) -> None:
    with pytest.raises(Invalid) as refusal:
        make.a_request(group, "Close")
    affiliation = BillingAccountAffiliation.objects.get()
    assert [cause.message for cause in refusal.value.causes] == [
        f"BillingAccountAffiliation {affiliation.name}: account eu is under the account; move it or close it first"
    ]
    make.in_phase(eu, "Closed")
    make.in_phase(group, "Closed")
    with pytest.raises(Invalid) as refusal:
        make.a_request(eu, "Reopen")
    assert [cause.message for cause in refusal.value.causes] == ["its payer of record group is Closed"]


def test_an_account_is_not_reopened_under_a_closed_one_though_it_pays_itself(
    organization: Organization, group: BillingAccount
) -> None:
    us = make.a_ready_account(organization, "us")
    an_affiliation(us, group, payer="Self")
    make.in_phase(us, "Closed")
    request = make.a_request(us, "Reopen")
    make.in_phase(group, "Closed")
    another = Actor("user:second-approver", make.APPROVER.roles)
    with pytest.raises(Invalid, match="it is under group, which is Closed: have that reopened first"):
        make.approve(request.pk, actor=another)
    us.refresh_from_db()
    assert us.phase == "Closed"
    for each in (make.a_request(group, "Reopen"), request):
        make.approve(each.pk, actor=another)
    us.refresh_from_db()
    assert us.phase == "Ready"


def test_archiving_an_account_ends_its_affiliation(
    organization: Organization, group: BillingAccount, eu: BillingAccount, in_months: Months, settings: object
) -> None:
    settings.STORAGES = {  # type: ignore[attr-defined]
        **settings.STORAGES,  # type: ignore[attr-defined]
        "archive": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    make.in_phase(eu, "Closed")
    in_months.go(4)
    archival.archive(eu.pk, actor=make.PLATFORM)
    affiliation = BillingAccountAffiliation.objects.get()
    assert (affiliation.phase, affiliation.ended_from) == ("Ended", month(1))
    eu.refresh_from_db()
    # `paid_by` is that of the open row: it ends at once, and the month goes on to be the payer's
    assert (eu.phase, eu.paid_by) == ("Archived", None)
    assert payer_of_record(eu, month()) == group
    assert payer_of_record(eu, month(1)) == eu
    assert [*inspection.breaks()] == []


def test_an_account_is_archived_after_those_that_are_paid_for_through_it(
    organization: Organization, group: BillingAccount, in_months: Months, settings: Any
) -> None:
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    # Ready by its payer alone
    between = make.an_incomplete_account(organization, "between")
    an_affiliation(between, group)
    below = make.a_ready_account(organization, "below")
    an_affiliation(below, between)
    in_months.go()
    for account in (below, between):
        make.in_phase(account, "Closed")
    in_months.go(4, work=False)
    with pytest.raises(Invalid, match="below is paid for through it, and is Closed: archive that first"):
        archival.archive(between.pk, actor=make.PLATFORM)
    # the one below first, whose key is higher
    assert archival.archive_due() == 2
    in_months.go()
    assert [each.payer for each in AccountPayer.objects.filter(account=below).order_by("pk")] == [group, below]
    assert [*inspection.breaks()] == []


def test_an_approved_request_makes_the_plan_and_its_review_goes_stale(
    organization: Organization, group: BillingAccount
) -> None:
    us = make.a_ready_account(organization, "us")
    make.a_binding(make.a_project(organization), us)
    request = make.a_request(us, "Affiliate", proposal={"parentRef": {"name": "group"}}, name="us-under-group")
    seen = request.reviewed_hash
    assert change(request) == [f"Payer of record of us from {month(1):%Y-%m} on: us → group"]
    make.a_binding(make.a_project(organization), us)
    with pytest.raises(StaleReview):
        make.approve(request.pk, actor=make.APPROVER)
    assert request.reviewed["projectsCount"] == 1
    renew(request.pk, actor=make.REQUESTER)
    request.refresh_from_db()
    assert request.reviewed_hash != seen
    make.approve(request.pk, actor=make.APPROVER)
    plan = BillingAccountAffiliation.objects.get(name="us-under-group")
    assert (plan.phase, plan.effective_from, plan.created_by) == ("Scheduled", month(1), make.APPROVER.name)


def test_a_review_goes_stale_when_the_profile_of_a_payer_of_record_changes(
    organization: Organization, group: BillingAccount
) -> None:
    us = make.a_ready_account(organization, "us")
    make.a_binding(make.a_project(organization), us)
    request = make.a_request(us, "Affiliate", proposal={"parentRef": {"name": "group"}})
    spec = replace(AccountSpec.of(group), payment_profile={"creditCard": {"cardReference": "card_another"}})
    revise(group.pk, spec, actor=make.PLATFORM)
    with pytest.raises(StaleReview) as stale:
        make.approve(request.pk, actor=make.APPROVER)
    assert "BillingAccountAffiliation" not in str(stale.value)
    request.refresh_from_db()
    assert (request.phase, "card_another" in str(request.reviewed)) == ("Pending", False)


def test_a_stale_review_is_told_in_the_words_of_the_manifest(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    us = make.a_ready_account(organization, "us")
    make.a_binding(make.a_project(organization), us)
    request = make.a_request(us, "Affiliate", proposal={"parentRef": {"name": "group"}})
    an_affiliation(us, eu, payer="Self", after=2)
    with pytest.raises(StaleReview) as stale:
        make.approve(request.pk, actor=make.APPROVER)
    assert "'payer': 'Parent'" in str([(each.field, each.message) for each in stale.value.causes])
    assert "Payer.PARENT" not in str([(each.field, each.message) for each in stale.value.causes])


@pytest.mark.parametrize(
    ("proposal", "text"),
    [
        (
            {"parentRef": {"name": "group"}},
            "under group from {month} on: who is invoiced for group is invoiced for it too",
        ),
        ({"parentRef": {"name": "group"}, "payer": "Self"}, "under group from {month} on, and pays itself"),
    ],
    ids=["paid", "reported"],
)
def test_the_mail_to_approvers_names_child_parent_and_month(
    organization: Organization, group: BillingAccount, proposal: dict[str, Any], text: str
) -> None:
    make.a_person(groups=("finance-approver",), email="approver@milo.example")
    us = make.a_ready_account(organization, "us")
    make.a_binding(make.a_project(organization), us)
    make.a_request(us, "Affiliate", proposal=proposal)
    mail = text_of(Notice.objects.get(about="AwaitingDecision"))
    expected = f"Account us comes {text.format(month=f'{month(1):%Y-%m}')}"
    assert expected in mail.plain
    assert expected in mail.html


def test_the_mail_to_approvers_says_that_an_account_leaves(group: BillingAccount, eu: BillingAccount) -> None:
    make.a_person(groups=("finance-approver",), email="approver@milo.example")
    make.a_request(eu, "Affiliate", proposal={"payer": "Self"})
    mail = text_of(Notice.objects.get(about="AwaitingDecision"))
    assert f"Account eu is under no other from {month(1):%Y-%m} on, and pays itself" in mail.plain


def test_usage_stays_with_the_account_and_each_month_with_its_payer_of_record(
    organization: Organization, group: BillingAccount, in_months: Months
) -> None:
    us, project = make.a_ready_account(organization, "us"), make.a_project(organization)
    make.a_binding(project, us)
    make.an_approved(us, "Affiliate", proposal={"parentRef": {"name": "group"}})
    paid = organization.billing_accounts.get(name="us").bindings.paying()

    def payers(at: datetime | None = None) -> list[int]:
        rows: list[Any] = list(paid.with_payer_of_record(at))
        return [row.payer_of_record for row in rows]

    now = timezone.now()
    assert payers(now) == [us.pk]
    in_months.go()
    assert (payers(), payers(now)) == ([group.pk], [us.pk])


def test_a_suspension_reaches_the_projects_of_all_accounts_that_it_pays(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    apart = make.a_ready_account(organization, "apart")
    an_affiliation(apart, group, payer="Self")
    for name, account in (("of-group", group), ("of-eu", eu), ("of-apart", apart)):
        project = make.a_project(organization, name, contact_email_addresses=[f"{name}@acme-corp.example"])
        make.a_binding(project, account)
    make.in_phase(group, "Suspended")
    told = Notice.objects.filter(about="Suspended", project__isnull=False).values_list("recipient", flat=True)
    assert set(told) == {"of-group@acme-corp.example", "of-eu@acme-corp.example"}
    assert announce_due() == 3
    kind = kind_of(Project)
    assert kind
    standing = {
        row.name: {each["type"]: each for each in kind.status(row)["conditions"]}["PayerInGoodStanding"]
        for row in kind.queryset().filter(organization=organization)
    }
    assert {name: each["status"] for name, each in standing.items()} == {
        "of-group": "False",
        "of-eu": "False",
        "of-apart": "True",
    }
    assert standing["of-eu"]["message"] == "under review"
    one = kind.rows([Project.objects.get(name="of-eu").pk])
    assert [kind.status(row)["billingResponsibility"]["payerOfRecord"] for row in one.values()] == ["group"]


def test_a_second_suspension_is_no_transition_of_the_standing(
    organization: Organization, group: BillingAccount, eu: BillingAccount, in_months: Months
) -> None:
    project = make.a_project(organization)
    make.a_binding(project, eu)
    kind = kind_of(Project)
    assert kind

    def standing() -> tuple[str, str]:
        conditions = kind.status(kind.rows([project.pk])[project.pk])["conditions"]
        (found,) = [each for each in conditions if each["type"] == "PayerInGoodStanding"]
        return found["status"], found["lastTransitionTime"]

    good = standing()
    in_months.go()
    make.in_phase(group, "Suspended")
    bad = standing()
    assert (good[0], bad[0]) == ("True", "False")
    assert bad[1] > good[1]
    in_months.go()
    make.in_phase(eu, "Suspended")
    assert standing() == bad


def test_a_new_project_waits_while_the_payer_of_record_of_its_default_account_is_not_ready(
    organization: Organization, group: BillingAccount, eu: BillingAccount
) -> None:
    set_default(organization.pk, OrganizationSpec(), eu.name, actor=make.PLATFORM)
    make.in_phase(group, "Suspended")
    project = make.a_project(organization)
    assert (bind_waiting(), project.bindings.count()) == (0, 0)
    named = Metadata({}, {PAYER_ANNOTATION: "eu"})
    with pytest.raises(Invalid) as refusal:
        create_project("named", organization.pk, ProjectSpec(), named, actor=make.PLATFORM)
    assert "its payer of record group is Suspended" in refusal.value.causes[0].message
    suspension = Suspension.objects.get()
    resolve(group.pk, suspension.uid, evidence={"reviewer": "jo", "note": "cleared"}, actor=make.PLATFORM)
    make.an_approved(group, "Reactivate")
    assert (bind_waiting(), project.bindings.get().account) == (1, eu)
