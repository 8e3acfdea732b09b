"""Usage by scope: an account's own, of all that it pays for, and of all below it."""

from typing import Any

import pytest

from billing.models import BillingAccount
from billing.services.usage import reports
from projects.models import Organization
from tests.api.client import ACCOUNTS, PROJECTS, Api
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.usage import an_event, taken


@pytest.fixture(autouse=True)
def tree(organization: Organization) -> list[BillingAccount]:
    """`eu` is paid by `group`, `de` below it pays itself; each, and `other` beside them, has used as many seconds."""
    group, eu, de, other = accounts = [
        make.a_ready_account(organization, name) for name in ("group", "eu", "de", "other")
    ]
    an_affiliation(eu, group)
    an_affiliation(de, eu, payer="Self")
    for account, quantity in ((group, "1"), (eu, "20"), (de, "300"), (other, "4000")):
        project = make.a_project(organization, f"of-{account.name}")
        make.a_binding(project, account)
        taken(an_event(project, quantity))
    return accounts


def usage(api: Api, account: str, query: str) -> dict[str, Any]:
    answer: dict[str, Any] = api.get(f"{ACCOUNTS}/{account}/usage?{query}").done()
    return answer


@pytest.mark.parametrize(
    ("account", "scope", "expected"),
    [
        ("group", "own", {"group": "1"}),
        ("group", "paid", {"eu": "20", "group": "1"}),
        ("group", "subtree", {"de": "300", "eu": "20", "group": "1"}),
        ("eu", "own", {"eu": "20"}),
        ("eu", "paid", {}),
        ("eu", "subtree", {"de": "300", "eu": "20"}),
        ("de", "paid", {"de": "300"}),
        ("other", "paid", {"other": "4000"}),
        ("other", "subtree", {"other": "4000"}),
    ],
)
def test_a_scope_takes_in_the_accounts_of_the_month(
    viewer: Api, account: str, scope: str, expected: dict[str, str]
) -> None:
    for granularity in ("total", "month", "day"):
        items = usage(viewer, account, f"scope={scope}&groupBy=account&granularity={granularity}")["items"]
        assert {item["account"]: item["quantity"] for item in items} == expected


def test_sums_of_several_accounts_are_one_where_nothing_tells_them_apart(
    viewer: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    # each account in a statement of its own
    monkeypatch.setattr(reports, "_AT_ONCE", 1)
    (item,) = usage(viewer, "group", "scope=subtree")["items"]
    assert (item["quantity"], item["events"]) == ("321", 3)
    answer = viewer.get(f"{ACCOUNTS}/group/usage?scope=paid&groupBy=account", Accept="text/csv")
    assert [line.split(",")[2:] for line in answer.raw.decode().splitlines()] == [
        ["account", "unit", "quantity", "events"],
        ["eu", "s", "20", "1"],
        ["group", "s", "1", "1"],
    ]


def test_own_is_the_default_and_leaves_the_answer_as_it_was(viewer: Api) -> None:
    answer = usage(viewer, "group", "")
    assert "scope" not in answer
    assert answer == usage(viewer, "group", "scope=own")
    assert usage(viewer, "group", "scope=paid")["scope"] == "paid"


@pytest.mark.parametrize(
    ("path", "field", "message"),
    [
        (f"{ACCOUNTS}/group/usage?scope=foreign", "query.scope", "must be own, paid or subtree"),
        (f"{ACCOUNTS}/group/usage?scope=", "query.scope", "must be own, paid or subtree"),
        (f"{ACCOUNTS}/group/usage?scope=own&scope=paid", "query.scope", "is given 2 times"),
        (f"{PROJECTS}/of-eu/usage?scope=paid", "query.scope", "is unknown; known here: from, granularity, groupBy"),
        (f"{ACCOUNTS}/group/usage?scope=paid&timeZone=Europe/Berlin", "query.timeZone", "must be UTC for this scope"),
        (f"{ACCOUNTS}/eu/usage?scope=subtree&from=2026-02-01&to=2026-02-01", "query.to", "must be later than from"),
    ],
)
def test_what_a_scope_cannot_answer_is_refused(viewer: Api, path: str, field: str, message: str) -> None:
    answer = viewer.get(path)
    answer.refused(422, "Invalid")
    assert list(answer.causes()) == [field]
    assert message in answer.causes()[field]


def test_too_many_sums_of_a_scope_are_refused(viewer: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MAX_LINES", 2)
    assert len(usage(viewer, "group", "scope=paid&groupBy=account")["items"]) == 2
    answer = viewer.get(f"{ACCOUNTS}/group/usage?scope=subtree&groupBy=account")
    answer.refused(422, "Invalid")
    assert set(answer.causes()) == {"query.groupBy"}
