"""Accounts above and below one on the staff site: the tree by level, the table, and usage and projects by scope."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import BillingAccount
from tests.admin.browser import errors, page_of, staff
from tests.admin.conftest import World
from tests.support import make
from tests.support.affiliations import an_affiliation, month
from tests.support.usage import an_event, taken


@pytest.fixture
def group(world: World) -> BillingAccount:
    """Above `mid`, which is above `low`; it is invoiced for both, and `low` pays for a project."""
    group, mid, low = (make.a_ready_account(world.organization, name) for name in ("a-group", "b-mid", "c-low"))
    an_affiliation(mid, group)
    an_affiliation(low, mid)
    make.a_binding(make.a_project(world.organization, "deep"), low)
    return group


def tab(client: Client, account: BillingAccount, name: str, **query: Any) -> Any:
    return client.get(page_of(account), {"tab": name, **query})


def named(name: str) -> BillingAccount:
    return BillingAccount.objects.get(name=name)


def test_the_tab_shows_the_way_down_and_the_first_level(group: BillingAccount, auditor: Client) -> None:
    page = tab(auditor, named("b-mid"), "hierarchy")
    assert [account.name for account in page.context["above"]] == ["a-group"]
    [node] = page.context["nodes"]
    assert (node.account.name, node.payer, node.below) == ("c-low", "a-group", 0)
    text = page.content.decode()
    assert "paid by a-group" in text
    assert page_of(group) in text
    [node] = tab(auditor, group, "hierarchy").context["nodes"]
    assert (node.account.name, node.below) == ("b-mid", 1)
    assert node.level == page_of(named("b-mid"), "below")


def test_a_level_is_read_when_it_is_opened_and_in_parts(group: BillingAccount, world: World, auditor: Client) -> None:
    for number in range(52):
        an_affiliation(make.a_ready_account(world.organization, f"d-{number:02}"), group, payer="Self")
    first = auditor.get(page_of(group, "below"))
    assert [node.account.name for node in first.context["nodes"]] == ["b-mid", *(f"d-{it:02}" for it in range(49))]
    assert "<html" not in first.content.decode()
    rest = auditor.get(first.context["more"])
    assert [node.account.name for node in rest.context["nodes"]] == ["d-49", "d-50", "d-51"]
    assert rest.context["more"] == ""


def test_a_level_takes_as_many_queries_for_many_as_for_few(
    group: BillingAccount, world: World, auditor: Client
) -> None:
    auditor.get(page_of(group, "below"))
    counts = []
    for more in (1, 6):
        for _each in range(more):
            child = make.a_ready_account(world.organization)
            an_affiliation(child, group)
            an_affiliation(make.a_ready_account(world.organization), child)
        with CaptureQueriesContext(connection) as queries:
            auditor.get(page_of(group, "below"))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_table_is_the_tree_of_a_month(group: BillingAccount, world: World, auditor: Client) -> None:
    an_affiliation(make.a_ready_account(world.organization, "d-later"), group, after=1)
    address = page_of(group, "hierarchy")
    [panel] = auditor.get(address).context["panels"]
    assert [(row[2], row[4]) for row in panel.rows] == [(1, "Ready"), (2, "Ready"), (3, "Ready")]
    assert all(page_of(group) in row[3] for row in panel.rows)
    assert auditor.get(address, {"at": "2020-01"}).context["panels"][0].rows[0][2] == 1
    assert len(auditor.get(address, {"at": "2020-01"}).context["panels"][0].rows) == 1
    assert errors(auditor.get(address, {"at": "x"}))["at"] == ["must be a month such as 2027-02"]
    csv = auditor.get(address, {"csv": "1", "at": f"{month():%Y-%m}"}).content.decode("utf-8-sig").splitlines()
    assert csv[0] == "account,parent,level,payerOfRecord,phase"
    assert csv[3] == "c-low,b-mid,3,a-group,Ready"


def test_projects_and_usage_are_shown_by_scope(group: BillingAccount, auditor: Client) -> None:
    project = named("c-low").bindings.get().project
    taken(an_event(project, "7"))

    def rows(account: BillingAccount, name: str, scope: str) -> int:
        return sum(len(panel.rows) for panel in tab(auditor, account, name, scope=scope).context["panels"])

    low, mid = named("c-low"), named("b-mid")
    for name in ("projects", "usage"):
        assert [rows(group, name, scope) for scope in ("own", "paid", "subtree")] == [0, 1, 1]
        assert [rows(mid, name, scope) for scope in ("own", "paid", "subtree")] == [0, 0, 1]
        assert [rows(low, name, scope) for scope in ("own", "paid", "subtree")] == [1, 0, 1]
        assert rows(group, name, "none of these") == 0
        shown = tab(auditor, group, name, scope="paid").context["scopes"]
        assert [scope.is_open for scope in shown] == [False, True, False]
    [panel] = tab(auditor, group, "usage", scope="paid").context["panels"]
    assert "scope=paid" in panel.more
    lines = auditor.get(panel.more).content.decode("utf-8-sig").splitlines()
    assert lines[1].split(",")[1:3] == ["c-low", "deep"]


def test_an_account_that_was_never_affiliated_has_no_choice_of_scope(world: World, auditor: Client) -> None:
    assert "scopes" not in tab(auditor, world.eu, "usage").context
    assert tab(auditor, world.eu, "hierarchy").context["nodes"] == []


def test_what_an_account_is_and_was_under_is_listed(group: BillingAccount, auditor: Client) -> None:
    [panel] = tab(auditor, named("b-mid"), "hierarchy").context["panels"]
    [[_name, parent, payer, begins, phase, _way]] = panel.rows
    assert page_of(group) in parent
    assert (payer, begins, phase) == ("the parent", f"{month():%Y-%m}", "Active")


@pytest.mark.parametrize("part", ["below", "hierarchy"])
def test_parts_of_the_tree_are_read_only_and_for_staff_alone(
    part: str, group: BillingAccount, operator: Client, client: Client
) -> None:
    address = page_of(group, part)
    assert operator.get(address).status_code == 200
    assert operator.post(address).status_code == 405
    assert operator.get(address.replace(str(group.pk), "999999999")).status_code == 404
    stranger: Callable[[], Client] = staff
    assert client.get(address).status_code == stranger().get(address).status_code == 302
