"""Who was invoiced, in the past of a project and of an account: by the month, and as the ledger knew it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from billing.models import BillingAccount
from billing.services.suspensions import suspend
from milo.kube.store.manifests import precise_instant
from projects.models import Organization
from tests.api.client import ACCOUNTS, PROJECTS, Api
from tests.support import make
from tests.support.affiliations import Months, an_affiliation, in_months, month

__all__ = ["in_months"]
HISTORY = f"{PROJECTS}/webapp/billinghistory"


@pytest.fixture
def eu(organization: Organization) -> BillingAccount:
    """`eu`, which pays for `webapp`."""
    account = make.a_ready_account(organization, "eu")
    make.a_binding(make.a_project(organization, "webapp"), account, "webapp-to-eu")
    return account


def affiliate(child: BillingAccount, parent: BillingAccount | None, **arguments: Any) -> None:
    """Plan it for the next month, by an approved request, because the account is used."""
    proposal = {"parentRef": {"name": parent.name}} if parent else {}
    make.an_approved(child, "Affiliate", proposal=proposal | arguments)


def instant(at: datetime) -> str:
    return precise_instant(at)


def items(api: Api, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"{HISTORY}{query}").done()["items"]
    return found


def test_a_project_of_an_account_without_affiliation_has_the_history_that_it_had(
    admin: Api, eu: BillingAccount
) -> None:
    (item,) = items(admin)
    assert list(item) == ["binding", "account", "phase", "establishedAt"]
    assert items(admin, f"?at={item['establishedAt']}") == [item]


def test_the_history_of_a_project_names_the_months_in_which_another_was_invoiced(
    admin: Api, organization: Organization, eu: BillingAccount, in_months: Months
) -> None:
    first, second = (make.a_ready_account(organization, name) for name in ("group", "holding"))
    begun = timezone.now()
    affiliate(eu, first)
    planned = timezone.now()
    (item,) = items(admin)
    # a plan is no fact
    assert "payersOfRecord" not in item
    start = in_months.go()
    affiliate(eu, second)
    later = in_months.go()
    known = timezone.now()
    affiliate(eu, None)
    (item,) = items(admin)
    spans = [
        {"payerOfRecord": "group", "from": f"{start:%Y-%m}", "until": f"{later:%Y-%m}"},
        {"payerOfRecord": "holding", "from": f"{later:%Y-%m}"},
    ]
    assert item["payersOfRecord"] == spans
    end = in_months.go()
    spans[1]["until"] = f"{end:%Y-%m}"
    (item,) = items(admin)
    assert item["payersOfRecord"] == spans

    def invoiced(at: datetime, known_at: datetime | None = None) -> str | None:
        known = f"&asKnownAt={instant(known_at)}" if known_at else ""
        (item,) = items(admin, f"?at={instant(at)}{known}")
        assert (item["account"], "payersOfRecord" in item) == ("eu", False)
        return item.get("payerOfRecord")

    inside = datetime(later.year, later.month, 20, tzinfo=UTC)
    after = datetime(end.year, end.month, 20, tzinfo=UTC)
    first_day = datetime(start.year, start.month, 1, tzinfo=UTC)
    assert [invoiced(at) for at in (begun, first_day, inside, after)] == [None, "group", "holding", None]
    assert [invoiced(inside, at) for at in (planned, first_day, known, timezone.now())] == [
        None, None, "holding", "holding",
    ]  # fmt: skip
    # what ended later was not known to end
    assert invoiced(after, known) == "holding"


def test_months_of_a_binding_alone_are_named(
    admin: Api, organization: Organization, eu: BillingAccount, in_months: Months
) -> None:
    group = make.a_ready_account(organization, "group")
    affiliate(eu, group)
    start = in_months.go(2)
    project = make.a_project(organization, "late")
    make.a_binding(project, eu, "late-to-eu")
    (late,) = admin.get(f"{PROJECTS}/late/billinghistory").done()["items"]
    assert late["payersOfRecord"] == [{"payerOfRecord": "group", "from": f"{start:%Y-%m}"}]
    make.a_binding(project, group, "late-to-group")
    until = month(1)
    late, moved = admin.get(f"{PROJECTS}/late/billinghistory").done()["items"]
    assert late["payersOfRecord"] == [{"payerOfRecord": "group", "from": f"{start:%Y-%m}", "until": f"{until:%Y-%m}"}]
    assert "payersOfRecord" not in moved


def test_a_correction_names_who_is_invoiced_for_its_account(
    admin: Api, organization: Organization, eu: BillingAccount
) -> None:
    group, paid = make.a_ready_account(organization, "group"), make.a_ready_account(organization, "paid")
    an_affiliation(paid, group)
    project = eu.bindings.get().project
    correction = make.a_payer_correction(project, paid)
    start = correction.starts_at
    (item,) = items(admin, f"?at={instant(start)}")
    assert (item["account"], item["payerOfRecord"]) == ("paid", "group")
    told = [each for item in items(admin) for each in item.get("corrections", ())]
    # a correction of the month before has none in its months
    expected = ["group"] if start.date() >= month() else []
    assert [span["payerOfRecord"] for each in told for span in each.get("payersOfRecord", ())] == expected


def test_an_account_is_told_with_its_place_as_of_an_instant(
    admin: Api, organization: Organization, in_months: Months
) -> None:
    group, paid = (make.a_ready_account(organization, name) for name in ("group", "paid"))
    alone = timezone.now()
    an_affiliation(paid, group)
    under = timezone.now()
    an_affiliation(paid, None, after=1)
    suspend(group.pk, reason_code="ManualReview", message="under review", actor=make.PLATFORM)
    in_months.go()

    def hierarchy(name: str, at: datetime) -> Any:
        return admin.get(f"{ACCOUNTS}/{name}/asof?at={instant(at)}").done()["status"].get("hierarchy")

    assert [hierarchy("paid", alone), hierarchy("group", alone)] == [None, None]
    assert hierarchy("paid", under) == {
        "parent": {"name": "group"}, "payerOfRecord": {"name": "group"}, "depth": 2, "subAccountsCount": 0,
    }  # fmt: skip
    status = admin.get(f"{ACCOUNTS}/paid/asof?at={instant(under)}").done()["status"]
    (ready,) = [each for each in status["conditions"] if each["type"] == "PayerOfRecordReady"]
    # group was suspended later
    assert (ready["status"], ready["reason"]) == ("True", "BillingAccountActive")
    assert status["effective"]["payerOfRecord"] == {"name": "group"}
    assert hierarchy("group", under) == {"payerOfRecord": {"name": "group"}, "depth": 1, "subAccountsCount": 1}
    assert [hierarchy("paid", timezone.now()), hierarchy("group", timezone.now())] == [None, None]


def test_a_project_names_who_is_invoiced_only_where_it_is_another(
    admin: Api, organization: Organization, eu: BillingAccount, in_months: Months
) -> None:
    affiliate(eu, make.a_ready_account(organization, "group"))
    responsibility = admin.get(f"{PROJECTS}/webapp").done()["status"]["billingResponsibility"]
    assert "payerOfRecord" not in responsibility
    in_months.go()
    responsibility = admin.get(f"{PROJECTS}/webapp").done()["status"]["billingResponsibility"]
    assert (responsibility["account"], responsibility["payerOfRecord"]) == ("eu", "group")
