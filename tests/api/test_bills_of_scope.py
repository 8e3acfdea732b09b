"""Bills and projects by scope: each sum is on one bill, and a showback is marked as none."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pyarrow.parquet import ParquetFile

from billing.models import BillingAccount, UsageRollup
from billing.models.usage_rollup import DAY
from billing.services.affiliations import bills, scopes
from billing.services.closed_months import close_month
from billing.usage.focus import COLUMNS
from milo.kube.store.manifests import precise_instant
from projects.models import Organization
from tests.api.client import ACCOUNTS, Api, streamed
from tests.support import make
from tests.support.affiliations import Months, an_affiliation, in_months, month
from tests.support.usage import an_event, taken

__all__ = ["in_months"]
NAMES = ("group", "eu", "de", "other")
CHILD = ["x_ChildAccountId", "x_ChildAccountName"]


@pytest.fixture(autouse=True)
def tree(organization: Organization) -> dict[str, BillingAccount]:
    """`eu` is paid by `group`, `de` below it pays itself, `other` is beside them; each has used as many seconds."""
    accounts = {name: make.a_ready_account(organization, name) for name in NAMES}
    an_affiliation(accounts["eu"], accounts["group"])
    an_affiliation(accounts["de"], accounts["eu"], payer="Self")
    for name, quantity in zip(NAMES, ("1", "20", "300", "4000"), strict=True):
        project = make.a_project(organization, f"of-{name}")
        make.a_binding(project, accounts[name])
        taken(an_event(project, quantity))
    return accounts


def body(api: Api, account: str, query: str) -> bytes:
    response = api.get(f"{ACCOUNTS}/{account}/usage/focus?period={query}").response
    assert response.status_code == 200
    return streamed(response)


def export(api: Api, account: str, query: str = "", period: str = "") -> list[dict[str, str]]:
    text = body(api, account, f"{period or format(timezone.now(), '%Y-%m')}{query}").decode()
    return list(csv.DictReader(text.splitlines()))


def told(rows: list[dict[str, str]], *names: str) -> list[tuple[str, ...]]:
    return sorted(tuple(row[name] for name in (*names, "ConsumedQuantity")) for row in rows)


def test_the_bill_of_a_payer_names_the_accounts_that_it_pays_for(viewer: Api, tree: dict[str, BillingAccount]) -> None:
    BillingAccount.objects.filter(name="eu").update(display_name="Europe")
    rows = export(viewer, "group", "&scope=paid")
    assert told(rows, "BillingAccountId", "SubAccountId", *CHILD) == [
        ("acme-corp/group", "of-eu", "acme-corp/eu", "Europe", "20"),
        ("acme-corp/group", "of-group", "acme-corp/group", "group", "1"),
    ]
    assert list(rows[0]) == [*COLUMNS, *CHILD]
    assert told(export(viewer, "other", "&scope=paid"), *CHILD) == [("acme-corp/other", "other", "4000")]
    assert export(viewer, "eu", "&scope=paid") == []
    assert told(export(viewer, "de", "&scope=paid")) == [("300",)]


def test_the_own_bill_of_a_paid_account_is_refused_and_its_showback_is_marked(viewer: Api) -> None:
    path, period = f"{ACCOUNTS}/eu/usage/focus?period=", format(timezone.now(), "%Y-%m")
    answer = viewer.get(f"{path}{period}")
    answer.refused(422, "Invalid")
    message = answer.causes()["query.view"]
    assert message == (
        f"group is payer of record of eu in {period}: read its bill with scope=paid, or ask for view=showback"
    )
    rows = export(viewer, "eu", "&view=showback")
    assert told(rows, "BillingAccountId", "x_Showback") == [("acme-corp/eu", "true", "20")]
    assert list(rows[0]) == [*COLUMNS, "x_Showback"]
    # before it was paid
    assert export(viewer, "eu", period="2024-01") == []


def test_an_account_that_nobody_else_pays_for_has_the_bill_that_it_had(viewer: Api) -> None:
    for name in ("other", "group", "de"):
        (row,) = export(viewer, name)
        assert list(row) == list(COLUMNS)
        assert export(viewer, name, "&scope=own") == [row]
    answer = viewer.get(f"{ACCOUNTS}/other/usage/focus?period=2026-01")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="other-2026-01.csv"'
    answer = viewer.get(f"{ACCOUNTS}/other/usage/focus?period=2026-01&scope=paid")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="other-2026-01-paid.csv"'


@pytest.mark.parametrize(
    ("query", "field"),
    [("scope=subtree", "query.scope"), ("scope=", "query.scope"), ("view=x", "query.view"), ("view=", "query.view"),
     ("scope=paid&view=showback", "query.view")],
)  # fmt: skip
def test_a_bill_that_there_is_not_is_refused(viewer: Api, query: str, field: str) -> None:
    answer = viewer.get(f"{ACCOUNTS}/group/usage/focus?period=2026-01&{query}")
    answer.refused(422, "Invalid")
    assert list(answer.causes()) == [field]


def test_the_bill_of_a_payer_in_parquet_and_in_pages(viewer: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.services.usage.exports.PAGE", 1)
    monkeypatch.setattr(bills, "_AT_ONCE", 1)
    period = format(timezone.now(), "%Y-%m")
    file = ParquetFile(io.BytesIO(body(viewer, "group", f"{period}&scope=paid&format=parquet")))
    rows = file.read(use_threads=False).to_pylist()
    assert sorted(row["x_ChildAccountId"] for row in rows) == ["acme-corp/eu", "acme-corp/group"]
    assert len(export(viewer, "group", "&scope=paid")) == 2


def test_every_sum_is_on_one_bill_also_if_it_comes_late(
    viewer: Api, tree: dict[str, BillingAccount], in_months: Months
) -> None:
    """`eu` pays itself from the second month on; what comes late of the first is on the bill of `group`."""
    first = month()
    project = tree["eu"].bindings.get().project
    event = an_event(project, "7", time=timezone.now() + timedelta(seconds=1))
    # it has a payment profile of its own, and the plan was approved
    make.an_approved(tree["eu"], "Affiliate", proposal={"parentRef": {"name": "group"}, "payer": "Self"})
    second = in_months.go()
    close_month(tree["group"].pk, first, reason="invoiced", actor=make.PLATFORM)
    close_month(tree["de"].pk, first, reason="invoiced", actor=make.PLATFORM)
    taken(event, an_event(project, "50", time=datetime(second.year, second.month, 1, 5, tzinfo=UTC)))
    periods = [f"{each:%Y-%m}" for each in (first, second)]
    found = {
        (name, period): [row[0] for row in told(export(viewer, name, "&scope=paid", period=period))]
        for name in NAMES
        for period in periods
    }
    assert {key: value for key, value in found.items() if value} == {
        ("group", periods[0]): ["1", "20"],
        ("group", periods[1]): ["7"],
        ("eu", periods[1]): ["50"],
        ("de", periods[0]): ["300"],
        ("other", periods[0]): ["4000"],
    }
    assert sum(map(len, found.values())) == UsageRollup.objects.filter(granularity=DAY).count()
    # its own bill has what it is invoiced for, its showback all
    assert told(export(viewer, "eu", period=periods[1])) == [("50",)]
    assert told(export(viewer, "eu", "&view=showback", period=periods[1])) == [("50",), ("7",)]


@pytest.mark.parametrize(
    ("account", "scope", "expected"),
    [
        ("group", "paid", ["eu", "group"]),
        ("group", "subtree", ["de", "eu", "group"]),
        ("eu", "paid", []),
        ("eu", "subtree", ["de", "eu"]),
        ("de", "paid", ["de"]),
        ("other", "subtree", ["other"]),
    ],
)
def test_projects_of_a_scope_name_their_accounts(
    viewer: Api, account: str, scope: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scopes, "_AT_ONCE", 1)
    answer = viewer.get(f"{ACCOUNTS}/{account}/projects?scope={scope}").done()
    assert answer["scope"] == scope
    assert [(item["project"], item["account"]) for item in answer["items"]] == [
        (f"of-{name}", name) for name in expected
    ]


def test_projects_of_a_scope_are_those_of_the_month_and_own_is_as_it_was(
    viewer: Api, tree: dict[str, BillingAccount], in_months: Months
) -> None:
    before = timezone.now()
    make.an_approved(tree["eu"], "Affiliate", proposal={})
    in_months.go()

    def projects(query: str) -> list[Any]:
        return [item["project"] for item in viewer.get(f"{ACCOUNTS}/group/projects?{query}").done()["items"]]

    at = f"&at={precise_instant(before)}"
    for scope, then in (("paid", ["of-eu", "of-group"]), ("subtree", ["of-de", "of-eu", "of-group"])):
        assert projects(f"scope={scope}") == ["of-group"]
        assert projects(f"scope={scope}{at}") == then
    own = viewer.get(f"{ACCOUNTS}/group/projects?scope=own{at}").done()
    assert own == viewer.get(f"{ACCOUNTS}/group/projects?{at}").done()
    assert [list(own), list(own["items"][0])] == [["at", "items"], ["project", "binding", "establishedAt"]]
    answer = viewer.get(f"{ACCOUNTS}/group/projects?scope=all")
    answer.refused(422, "Invalid")
    assert list(answer.causes()) == ["query.scope"]
