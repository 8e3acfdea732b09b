"""Accounts under accounts on the staff site: what is planned, what stands in its way, and cancelling it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import BillingAccount, BillingAccountAffiliation
from billing.services.affiliations.conditions import foresee
from projects.models import Organization
from tests.admin.browser import buttons, errors, list_of, page_of, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.affiliations import an_affiliation, month
from tests.support.ledger import authors, nothing_changes

LIST = list_of(BillingAccountAffiliation)


@pytest.fixture
def child(world: World) -> BillingAccount:
    return make.a_ready_account(world.organization, "acme-apac")


@pytest.fixture
def plan(world: World, child: BillingAccount) -> BillingAccountAffiliation:
    return an_affiliation(child, world.us, after=2, name="apac-under-us")


def at_risk(parent: BillingAccount) -> None:
    make.in_phase(parent, "Suspended")
    foresee()


def listed(client: Client, **query: Any) -> set[str]:
    return {str(row) for row in client.get(LIST, query).context["cl"].result_list}


def test_a_plan_is_listed_with_what_stands_in_its_way(
    world: World, plan: BillingAccountAffiliation, operator: Client
) -> None:
    page = operator.get(LIST).content.decode()
    assert f"{month(2):%Y-%m}" in page
    assert "Scheduled" in page
    assert page_of(world.us) in page
    at_risk(world.us)
    assert "acme-us is Suspended" in operator.get(LIST).content.decode()


def test_the_page_of_a_plan_says_every_cause_as_things_are_now(
    world: World, child: BillingAccount, plan: BillingAccountAffiliation, operator: Client
) -> None:
    [panel] = [it for it in operator.get(page_of(plan)).context["panels"] if it.title == "What stands in its way now"]
    [[begins, will, why]] = panel.rows
    assert (begins, why) == (f"{month(2):%Y-%m}", "nothing")
    assert "will take effect" in will
    # nobody has looked at it since
    make.in_phase(world.us, "Suspended")
    make.a_request(child)
    [panel] = [it for it in operator.get(page_of(plan)).context["panels"] if it.title == "What stands in its way now"]
    [[_begins, will, why]] = panel.rows
    assert "will not take effect" in will
    assert "acme-us is Suspended" in why
    assert "<br>" in why
    assert "is pending: have it decided" in why


def test_views_and_filters(world: World, child: BillingAccount, operator: Client) -> None:
    below = make.a_ready_account(world.organization, "acme-lab")
    an_affiliation(child, world.us, name="now")
    an_affiliation(below, world.eu, payer="Self", after=1, name="next")
    an_affiliation(make.a_ready_account(world.organization, "acme-attic"), world.us, after=3, name="later")
    assert listed(operator, view="planned") == {"next", "later"}
    assert listed(operator, view="in-force") == {"now"}
    assert listed(operator, view="at-risk") == listed(operator, view="failed") == set()
    at_risk(world.us)
    assert listed(operator, view="at-risk") == {"later"}
    assert listed(operator, payer__exact="Self") == {"next"}
    assert listed(operator, parent__id__exact=world.us.pk) == {"now", "later"}
    assert listed(operator, phase__exact="Active") == {"now"}
    assert listed(operator, q="acme-lab") == {"next"}
    assert listed(operator, q="acme-eu") == {"next"}


def test_what_will_not_take_effect_waits_on_the_first_page(
    world: World, plan: BillingAccountAffiliation, operator: Client
) -> None:
    title = "Accounts that will not come under another"
    assert title not in operator.get("/admin/").content.decode()
    at_risk(world.us)
    [item] = [item for item in operator.get("/admin/").context["attention"] if item.title == title]
    assert item.count == 1
    assert operator.get(item.address).context["cl"].result_count == 1


def test_a_plan_is_cancelled_for_a_reason(plan: BillingAccountAffiliation, operator: Client) -> None:
    assert page_of(plan, "cancel") in buttons(operator.get(page_of(plan)))
    with nothing_changes():
        assert "reason" in errors(operator.post(page_of(plan, "cancel"), {"reason": " "}))
    answer = submit(operator, page_of(plan, "cancel"), reason="put off")
    assert answer.headers["Location"] == page_of(plan)
    plan.refresh_from_db()
    assert (plan.phase, plan.outcome) == ("Cancelled", "put off")
    assert "user:operator" in authors(plan)
    page = operator.get(page_of(plan))
    assert page_of(plan, "cancel") not in buttons(page)
    assert "put off" in page.content.decode()
    page = operator.get(page_of(plan, "cancel"))
    assert "It is no plan any more: Cancelled" in page.content.decode()


@pytest.mark.parametrize("who", ["approver", "auditor"])
def test_others_look_and_cancel_nothing(
    who: str, plan: BillingAccountAffiliation, request: pytest.FixtureRequest
) -> None:
    client: Client = request.getfixturevalue(who)
    assert client.get(page_of(plan)).status_code == 200
    assert page_of(plan, "cancel") not in buttons(client.get(page_of(plan)))
    with nothing_changes():
        for method in (client.get, client.post):
            assert method(page_of(plan, "cancel"), {"reason": "x"}).status_code == 403


def _plans(organization: Organization) -> None:
    parent = make.a_ready_account(organization)
    an_affiliation(make.a_ready_account(organization), parent, after=1)


@pytest.mark.parametrize("page", [lambda plan: LIST, page_of])
def test_list_and_page_take_as_many_queries_for_six_as_for_two(
    page: Callable[[BillingAccountAffiliation], str],
    plan: BillingAccountAffiliation,
    world: World,
    operator: Client,
) -> None:
    operator.get(page(plan))
    counts = []
    for wanted in (2, 6):
        while BillingAccountAffiliation.objects.count() < wanted:
            _plans(world.organization)
        with CaptureQueriesContext(connection) as queries:
            assert operator.get(page(plan)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
