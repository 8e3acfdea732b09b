"""Placing an account under another on the staff site: a look at what the request says, then plan or request."""

from typing import Any

import pytest
from django.test import Client

from billing.models import ApprovalRequest, BillingAccount, BillingAccountAffiliation
from billing.services.affiliations import rules
from milo.admin import suggestions
from milo.admin.panels import link
from tests.admin.browser import buttons, errors, filled_in, page_of, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.affiliations import an_affiliation, month
from tests.support.ledger import nothing_changes

pytestmark = pytest.mark.once

PLACE = "place-under"


@pytest.fixture
def group(world: World) -> BillingAccount:
    """Bills in the currency of `eu`, which pays for a project."""
    return make.a_ready_account(world.organization, "acme-group", currency_code="EUR")


def asked(group: BillingAccount, **values: Any) -> dict[str, Any]:
    return {"parent": group.pk, "payer": "Parent", "month": f"{month(1):%Y-%m}", "reason": "one invoice"} | values


def test_a_preview_says_what_the_request_would_and_writes_nothing(
    world: World, group: BillingAccount, operator: Client
) -> None:
    address = page_of(world.eu, PLACE)
    with nothing_changes():
        page = operator.post(address, filled_in(operator.get(address), **asked(group)))
    assert errors(page) == {}
    preview = dict(page.context["preview"])
    assert preview["What changes"] == f"Payer of record of acme-eu from {month(1):%Y-%m} on: acme-eu → acme-group"
    months = f"from {month(1):%Y-%m} on"
    assert preview["Who answers for what"] == f"acme-group is invoiced for the usage of acme-eu, {months}"
    assert preview["Projects"] == "webapp-frontend"
    assert preview["Usage of the last full month"] == "-"
    assert "EUR, Net days: 30, Monthly, Credit card → EUR" in preview["Currency, terms and payment method"]
    assert "A second person must approve it" in preview["Approval"]


def test_an_account_that_is_used_is_requested_and_placed_by_a_second_person(
    world: World, group: BillingAccount, operator: Client, approver: Client
) -> None:
    answer = submit(operator, page_of(world.eu, PLACE), **asked(group))
    request = ApprovalRequest.objects.get()
    assert answer.headers["Location"] == page_of(request)
    assert (request.act, request.requester, request.justification) == ("Affiliate", "user:operator", "one invoice")
    assert not BillingAccountAffiliation.objects.exists()
    panels = {panel.title: panel.rows for panel in approver.get(page_of(request)).context["panels"]}
    [[name, _months, before, after, _terms]] = panels["Who is invoiced"]
    assert (name, before, after) == ("acme-eu", "acme-eu", "acme-group")
    assert [link(world.project), link(world.eu)] in panels["Projects"]
    submit(approver, page_of(request, "approve"))
    plan = BillingAccountAffiliation.objects.get()
    assert (plan.account, plan.parent, plan.payer, plan.effective_from) == (world.eu, group, "Parent", month(1))
    assert (plan.phase, plan.reason) == ("Scheduled", "one invoice")


def test_a_review_names_the_first_projects_and_leads_to_the_rest(
    world: World, group: BillingAccount, approver: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "LISTED", 1)
    other = make.a_project(world.organization, "aaa")
    below = make.a_ready_account(world.organization, "acme-below", currency_code="EUR")
    make.a_binding(other, world.eu)
    an_affiliation(below, world.eu)
    # of the second account, which the review does not name, and of one that pays itself
    make.a_binding(make.a_project(world.organization, "zzz"), below)
    itself = make.a_ready_account(world.organization, "acme-itself", currency_code="EUR")
    an_affiliation(itself, world.eu, payer="Self")
    make.a_binding(make.a_project(world.organization, "not-concerned"), itself)
    request = make.a_request(world.eu, "Affiliate", proposal={"parentRef": {"name": group.name}})
    panels = {panel.title: panel for panel in approver.get(page_of(request)).context["panels"]}
    assert panels["Projects"].rows == [[link(other), link(world.eu)], ["and 2 more", ""]]
    rest = approver.get(panels["Projects"].more)
    assert rest.status_code == 200, rest.headers
    assert {row.project.name for row in rest.context["cl"].result_list} == {"aaa", "webapp-frontend", "zzz"}
    assert [row[0] for row in panels["Who is invoiced"].rows] == ["acme-eu", "and 1 more"]
    assert b"acme-below" in approver.get(panels["Who is invoiced"].more).content


def test_an_account_that_was_never_used_is_placed_at_once(
    world: World, group: BillingAccount, operator: Client
) -> None:
    unused = make.a_ready_account(world.organization, "acme-lab", currency_code="EUR")
    address = page_of(unused, PLACE)
    choices = dict(operator.get(address).context["form"].fields["month"].choices)
    assert list(choices) == [f"{month(number):%Y-%m}" for number in range(13)]
    page = operator.post(address, filled_in(operator.get(address), **asked(group, month=f"{month():%Y-%m}")))
    assert dict(page.context["preview"])["Approval"] == "not needed"
    answer = submit(operator, address, **asked(group, month=f"{month():%Y-%m}"))
    affiliation = BillingAccountAffiliation.objects.get()
    assert answer.headers["Location"] == page_of(affiliation)
    assert affiliation.phase == "Active"
    assert affiliation.name.startswith("acme-lab-under-acme-group-")
    assert f"{month():%Y-%m}" not in dict(
        operator.get(page_of(world.eu, PLACE)).context["form"].fields["month"].choices
    )


def test_a_report_alone_changes_no_payer_and_says_so(world: World, operator: Client) -> None:
    address = page_of(world.eu, PLACE)
    page = operator.post(address, filled_in(operator.get(address), **asked(world.us, payer="Self")))
    preview = dict(page.context["preview"])
    assert preview["What changes"] == "No account gets another payer of record."
    assert preview["Approval"] == "not needed"


def test_an_account_stands_alone_again(world: World, operator: Client) -> None:
    child = make.a_ready_account(world.organization, "acme-lab")
    an_affiliation(child, world.us)
    page = operator.get(page_of(child, PLACE))
    assert page_of(world.us) in dict(page.context["facts"])["Under which account now"]
    form = page.context["form"]
    assert form["parent"].value() == world.us.pk
    assert "none: the account stands alone again" in page.content.decode()
    page = operator.post(page_of(child, PLACE), filled_in(page, **asked(world.us, parent="")))
    assert dict(page.context["preview"])["Under which account"] == "acme-us → -"
    answer = submit(operator, page_of(child, PLACE), **asked(world.us, parent=""))
    plan = BillingAccountAffiliation.objects.scheduled().get()
    assert answer.headers["Location"] == page_of(plan)
    assert (plan.parent, plan.payer) == (None, "Self")


def test_every_cause_is_shown_at_a_field_in_words(world: World, operator: Client) -> None:
    make.a_request(world.eu)
    with nothing_changes():
        page = submit(operator, page_of(world.eu, PLACE), **asked(world.us))
    found = errors(page)
    assert found["payer"] == ["acme-eu bills in EUR, its payer of record acme-us in USD"]
    assert any("is pending: have it decided" in message for message in found["parent"])
    assert "spec." not in str(found)


def test_only_ready_accounts_of_the_organization_are_offered(world: World, operator: Client) -> None:
    make.a_ready_account(make.an_organization("other-corp"), "other-us")
    make.in_phase(make.a_ready_account(world.organization, "acme-attic"), "Suspended")
    assert suggested(operator, world.eu) == ["acme-us (Ready)"]
    with nothing_changes():
        page = submit(operator, page_of(world.eu, PLACE), **asked(world.us, parent=""))
    assert errors(page)["parent"] == ["This field is required."]


def suggested(client: Client, account: BillingAccount, **asked: Any) -> list[str]:
    answer = client.get(page_of(account, PLACE), {"search": "parent"} | asked)
    assert answer.status_code == 200
    return [found["text"] for found in answer.json()["results"]]


def test_accounts_are_suggested_while_somebody_types_and_none_is_in_the_page(
    world: World, group: BillingAccount, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    BillingAccount.objects.filter(pk=group.pk).update(display_name="Whole group")
    page = operator.get(page_of(world.eu, PLACE)).content.decode()
    assert "acme-us" not in page
    assert 'data-ajax--url="?search=parent"' in page
    assert (
        suggested(operator, world.eu, term="ACME-G")
        == suggested(operator, world.eu, term="whole")
        == ["acme-group (Ready)"]
    )
    # neither the account itself nor anything that is no page, no word or no key is a fault
    assert suggested(operator, world.eu, term="acme-eu") == []
    for nonsense in ("\x00", "'", "%", "a " * 800, "x" * 9000):
        assert suggested(operator, world.eu, term=nonsense, page=nonsense) is not None
    monkeypatch.setattr(suggestions, "AT_ONCE", 1)
    assert suggested(operator, world.eu, page="1") == ["acme-group (Ready)"]
    assert suggested(operator, world.eu, page="2") == ["acme-us (Ready)"]
    assert suggested(operator, world.eu, page="3") == []
    chosen = operator.post(page_of(world.eu, PLACE), asked(group, reason="", month="x")).content.decode()
    assert f'<option value="{group.pk}" selected' in chosen


def test_an_account_of_others_is_neither_suggested_nor_told_from_one_that_is_missing(
    world: World, operator: Client, approver: Client, client: Client
) -> None:
    foreign = make.a_ready_account(make.an_organization("other-corp"), "other-us")
    assert suggested(operator, world.eu, term="other") == []
    said = []
    for key in (foreign.pk, 10**6, 10**30, "x", world.eu.pk):
        with nothing_changes():
            page = operator.post(page_of(world.eu, PLACE), asked(foreign, parent=key))
        assert "other-us" not in page.content.decode()
        said.append(errors(page)["parent"])
    assert said == [said[0]] * len(said)
    address = page_of(world.eu, PLACE)
    assert approver.get(address, {"search": "parent"}).status_code == 403
    assert client.get(address, {"search": "parent"}).status_code == 302
    for field in ("reason", "nothing", ""):
        assert operator.get(address, {"search": field}).status_code == 404


@pytest.mark.parametrize("phase", ["Closed", "Archived"])
def test_a_closed_account_has_no_place_to_take(phase: str, world: World, operator: Client) -> None:
    assert page_of(world.us, PLACE) in buttons(operator.get(page_of(world.us)))
    make.in_phase(world.us, phase)
    assert page_of(world.us, PLACE) not in buttons(operator.get(page_of(world.us)))


@pytest.mark.parametrize("who", ["approver", "auditor"])
def test_others_place_nothing(who: str, world: World, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(who)
    assert page_of(world.us, PLACE) not in buttons(client.get(page_of(world.us)))
    with nothing_changes():
        assert client.get(page_of(world.us, PLACE)).status_code == 403
        assert client.post(page_of(world.us, PLACE), {"confirm": "1"}).status_code == 403
