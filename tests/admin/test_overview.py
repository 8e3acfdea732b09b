"""The first page: what needs attention, with the way there."""

from django.test import Client

from tests.admin.browser import staff, superuser
from tests.admin.conftest import World
from tests.support import make


def attention(client: Client) -> dict[str, tuple[int, str]]:
    return {item.title: (item.count, item.address) for item in client.get("/admin/").context["attention"]}


def links(client: Client) -> set[str]:
    """What the side bar leads to."""
    groups = client.get("/admin/").context["sidebar_navigation"]
    return {item["link"] for group in groups for item in group["items"]}


def test_incomplete_accounts_and_unbound_projects_are_counted(world: World, operator: Client) -> None:
    assert {title: count for title, (count, _address) in attention(operator).items()} == {
        "Incomplete accounts": 0,
        "Accounts still being validated": 0,
        "Unbound projects": 0,
        "Undeliverable notices": 0,
        "Payer changes that will not take effect": 0,
        "Payer changes with failed projects": 0,
    }
    make.an_incomplete_account(world.organization)
    for _each in range(2):
        make.a_project(world.organization)
    counts = attention(operator)
    assert (counts["Incomplete accounts"][0], counts["Unbound projects"][0]) == (1, 2)


def test_each_count_leads_to_a_list_of_as_many(world: World, operator: Client) -> None:
    make.an_incomplete_account(world.organization)
    make.a_project(world.organization)
    for title, (count, address) in attention(operator).items():
        assert operator.get(address).context["cl"].result_count == count, title


def test_the_side_bar_leads_to_what_the_person_may_see(world: World) -> None:
    ledger = {
        "/admin/",
        "/admin/billing/approvalrequest/",
        "/admin/billing/billingaccount/",
        "/admin/billing/billingaccountbinding/",
        "/admin/billing/charge/",
        "/admin/billing/hold/",
        "/admin/billing/notice/",
        "/admin/billing/payerchange/",
        "/admin/billing/suspension/",
        "/admin/projects/membership/",
        "/admin/projects/organization/",
        "/admin/projects/project/",
    }
    log_ins = {"/admin/identity/login/", "/admin/identity/login/people-changes/"}
    assert links(staff("auditor")) == ledger | log_ins
    assert links(superuser()) == ledger | log_ins | {
        "/admin/auth/user/",
        "/admin/identity/identity/",
        "/admin/identity/servicetoken/",
    }
