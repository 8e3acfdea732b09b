"""How a payer of record stands, on the accounts that it pays for: condition, revisions and events in the background."""

from typing import Any

import pytest

from billing.models import Announcement, BillingAccount, Suspension
from billing.services.notices import deliveries
from billing.services.suspensions import resolve
from billing.tasks import announce_standing
from milo import audit
from milo.access import Actor
from milo.kube.kinds import kind_of
from milo.kube.models import Change
from milo.kube.store.manifests import render
from projects.models import Organization
from tests.support import make
from tests.support.affiliations import Months, an_affiliation, in_months
from tests.support.ledger import assert_watchers_see, shown

__all__ = ["in_months"]
pytestmark = pytest.mark.django_db
GOOD = ("True", "BillingAccountActive", "Billing account is active and ready for project linking")


@pytest.fixture
def group(organization: Organization) -> BillingAccount:
    return make.a_ready_account(organization, "group")


@pytest.fixture
def paid(organization: Organization, group: BillingAccount) -> list[BillingAccount]:
    """Two accounts that `group` pays for, the second by way of the first, and one that is reported under it only."""
    accounts = [make.a_ready_account(organization, name) for name in ("eu", "de", "apart")]
    for child, parent, payer in zip(accounts, (group, accounts[0], group), ("Parent", "Parent", "Self"), strict=True):
        an_affiliation(child, parent, payer=payer)
    return accounts[:2]


def status(account: BillingAccount) -> dict[str, Any]:
    """What clients read: the status in the newest revision."""
    newest = Change.objects.filter(uid=account.uid).latest("resource_version")
    found: dict[str, Any] = newest.manifest["status"]
    kind = kind_of(BillingAccount)
    assert kind
    assert newest.manifest == render(kind, kind.rows([account.pk])[account.pk], newest.resource_version)
    return found


def standing(account: BillingAccount) -> tuple[str, str, str] | None:
    conditions = {each["type"]: each for each in status(account)["conditions"]}
    found = conditions.get("PayerOfRecordReady")
    return (found["status"], found["reason"], found["message"]) if found else None


def reactivate(account: BillingAccount) -> None:
    for suspension in Suspension.objects.open().filter(account=account):
        evidence = {"reviewer": "jo", "note": "cleared"}
        resolve(account.pk, suspension.uid, evidence=evidence, actor=make.PLATFORM)
    make.an_approved(account, "Reactivate")


def test_a_paid_account_shows_how_its_payer_of_record_stands(group: BillingAccount, paid: list[BillingAccount]) -> None:
    assert [standing(account) for account in paid] == [GOOD, GOOD]
    make.in_phase(group, "Suspended")
    assert announce_standing() == 2
    assert [standing(account) for account in paid] == [("False", "ManualReview", "under review")] * 2
    told = Change.objects.filter(reason="PayerOfRecordNotReady")
    assert sorted(told.values_list("name", "message")) == [
        ("de", "group is Suspended: under review"),
        ("eu", "group is Suspended: under review"),
    ]
    assert {status(account)["phase"] for account in paid} == {"Ready"}
    reactivate(group)
    assert announce_standing() == 2
    assert [standing(account) for account in paid] == [GOOD, GOOD]
    assert Change.objects.filter(reason="PayerOfRecordReady").count() == 2
    assert announce_standing() == 0


def test_accounts_that_pay_themselves_show_nothing_of_it(group: BillingAccount, paid: list[BillingAccount]) -> None:
    apart = BillingAccount.objects.get(name="apart")
    before = {account.name: status(account) for account in (group, apart)}
    make.in_phase(group, "Suspended")
    announce_standing()
    assert standing(group) is None
    assert status(apart) == before["apart"]


def test_the_standing_is_written_in_parts_and_goes_on_where_it_stopped(
    group: BillingAccount, paid: list[BillingAccount], organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.a_binding(make.a_project(organization), paid[1])
    monkeypatch.setattr(deliveries, "ANNOUNCED_AT_ONCE", 1)
    make.in_phase(group, "Suspended")
    write = audit.mark_changed

    def fail_second(actor: Actor, row: Any, **why: str) -> None:
        if row == paid[1]:
            raise RuntimeError("a crash")
        write(actor, row, **why)

    with monkeypatch.context() as crash:
        crash.setattr(audit, "mark_changed", fail_second)
        assert announce_standing() == 1
    assert Announcement.objects.get(done_at=None).last_account_id == paid[0].pk
    assert announce_standing() == 2
    told = Change.objects.filter(reason__in=["PayerOfRecordNotReady", "PayerSuspended"]).order_by("resource_version")
    assert [change.resource for change in told] == ["billingaccounts.billing.milo.io"] * 2 + [
        "projects.resources.milo.io"
    ]
    assert [standing(account) for account in paid] == [("False", "ManualReview", "under review")] * 2


def test_closed_accounts_show_that_their_payer_of_record_is_closed_too(
    group: BillingAccount, paid: list[BillingAccount]
) -> None:
    for account in (*reversed(paid), BillingAccount.objects.get(name="apart"), group):
        make.in_phase(account, "Closed")
    assert announce_standing() == 2
    closed = ("False", "BillingAccountClosed", "Billing account is closed")
    assert [standing(account) for account in paid] == [closed, closed]
    another = Actor("user:second-approver", make.APPROVER.roles)
    make.approve(make.a_request(group, "Reopen").pk, actor=another)
    assert announce_standing() == 2
    assert [standing(account) for account in paid] == [GOOD, GOOD]


def test_the_closure_of_an_account_that_pays_for_no_other_announces_nothing(organization: Organization) -> None:
    make.in_phase(make.a_ready_account(organization), "Closed")
    assert not Announcement.objects.exists()


def test_whose_terms_and_profile_count_is_shown_under_another_account_alone(
    group: BillingAccount, paid: list[BillingAccount]
) -> None:
    by_group = {key: {"name": "group"} for key in ("payerOfRecord", "paymentTermsFrom", "paymentProfileFrom")}
    assert [status(account).get("effective") for account in paid] == [by_group, by_group]
    apart = BillingAccount.objects.get(name="apart")
    assert set(map(str, status(apart)["effective"].values())) == {"{'name': 'apart'}"}
    assert "effective" not in status(group)


def test_projects_show_a_new_payer_of_record_to_whoever_watches_them(
    organization: Organization, group: BillingAccount, in_months: Months
) -> None:
    eu, de = (make.a_ready_account(organization, name) for name in ("eu", "de"))
    an_affiliation(de, eu)
    projects = [make.a_project(organization), make.a_project(organization)]
    for project, account in zip(projects, (eu, de), strict=True):
        make.a_binding(project, account)
    make.an_approved(eu, "Affiliate", proposal={"parentRef": {"name": "group"}})
    announce_standing()
    in_months.go()
    assert announce_standing() == 2
    for project in projects:
        assert_watchers_see(project)
        assert shown(project)["status"]["billingResponsibility"]["payerOfRecord"] == "group"
    assert announce_standing() == 0


def test_the_condition_says_since_when_whoever_pays_meanwhile(
    organization: Organization, group: BillingAccount, in_months: Months
) -> None:
    between, below = (make.a_ready_account(organization, name) for name in ("between", "below"))
    an_affiliation(below, between)

    def says() -> tuple[str, str]:
        announce_standing()
        (found,) = (each for each in status(below)["conditions"] if each["type"] == "PayerOfRecordReady")
        return found["status"], found["lastTransitionTime"][:7]

    suspended_in = f"{in_months.go():%Y-%m}"
    make.in_phase(between, "Suspended")
    assert says() == ("False", suspended_in)
    paid_by_group_in = f"{in_months.go():%Y-%m}"
    an_affiliation(between, group)
    assert says() == ("True", paid_by_group_in)
    # one that became Ready after that
    in_months.go()
    other = make.a_ready_account(organization, "other")
    an_affiliation(between, other, after=1)
    in_months.go()
    below.refresh_from_db()
    assert below.paid_by == other
    assert says() == ("True", paid_by_group_in)
    suspended_in = f"{in_months.go():%Y-%m}"
    make.in_phase(other, "Suspended")
    assert says() == ("False", suspended_in)
