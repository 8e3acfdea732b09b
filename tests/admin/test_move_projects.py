"""Moving projects on the staff site: choose, look at what would move, say why, follow, cancel and retry."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import ApprovalRequest, BillingAccount, BillingAccountBinding, PayerChange, PayerChangeItem
from billing.services.payer_changes.facts import move_due
from milo import card_numbers
from projects.models import Project
from tests.admin.browser import buttons, errors, filled_in, list_of, page_of, staff, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import authors, nothing_changes
from tests.support.payer_changes import Travel, a_payer_change, travel

__all__ = ["travel"]
MOVE = "move-projects"


def test_a_preview_says_what_would_move_and_writes_nothing(world: World, operator: Client) -> None:
    address = page_of(world.eu, MOVE)
    with nothing_changes():
        page = operator.post(
            address, filled_in(operator.get(address), account=world.us.pk, reason="the department moves")
        )
    assert errors(page) == {}
    preview = dict(page.context["preview"])
    assert preview["Projects that move"] == 1
    assert preview["Who pays now"] == "acme-eu: 1"
    assert preview["Currency before and after"] == "EUR → USD"


def test_no_name_that_the_form_offers_is_taken_for_a_card_number(
    world: World, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fourteen digits of an instant passed the check of card numbers in every tenth second."""
    now = timezone.now()
    for seconds in range(30):
        monkeypatch.setattr(timezone, "now", lambda at=now + timedelta(seconds=seconds): at)
        name = operator.get(page_of(world.eu, MOVE)).context["form"]["name"].value()
        assert name.startswith("move-")
        assert not card_numbers.found_in(name)


def test_all_projects_of_an_account_move(world: World, operator: Client) -> None:
    answer = submit(operator, page_of(world.eu, MOVE), account=world.us.pk, reason="it closes", name="eu-to-us")
    change = PayerChange.objects.get()
    assert answer.headers["Location"] == page_of(change)
    assert authors(change) == {"user:operator"}
    assert (change.source, change.account, change.at_once) == (world.eu, world.us, True)
    move_due()
    assert BillingAccountBinding.objects.paying().get(project=world.project).account == world.us
    page = operator.get(page_of(change)).content.decode()
    assert "1 of 1 projects moved" in page
    assert "eu-to-us-webapp-frontend" in page


def test_named_projects_move_from_the_organization_and_from_the_list(world: World, operator: Client) -> None:
    other = make.a_project(world.organization, "data-lake")
    tomorrow = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    asked = {"account": world.us.pk, "reason": "it closes", "effective_at": tomorrow}
    submit(operator, page_of(world.organization, MOVE), projects="webapp-frontend", name="first", **asked)
    submit(
        operator,
        list_of(Project, MOVE),
        organization=world.organization.pk,
        projects="data-lake",
        name="second",
        **asked,
    )
    items = PayerChangeItem.objects.order_by("pk").values_list("change__name", "project__name", "phase")
    assert list(items) == [("first", "webapp-frontend", "Pending"), ("second", other.name, "Pending")]
    planned = operator.get(page_of(world.project)).content.decode()
    assert "Who will pay" in planned
    assert "first" in planned


def test_faults_are_shown_at_their_fields(world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(
            operator,
            page_of(world.organization, MOVE),
            account=world.eu.pk,
            reason="x",
            projects="webapp-frontend\nnone",
        )
    assert errors(page)["projects"] == [
        "2: there is no project none in this organization",
        "1: acme-eu pays for this project already, by binding second",
    ]


def test_named_projects_of_an_account_are_not_taken_for_all_of_it(world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(
            operator,
            page_of(world.organization, MOVE),
            account=world.us.pk,
            source=world.eu.pk,
            reason="x",
            projects="webapp-frontend",
        )
    assert errors(page)["projects"] == ["Name projects or the billing account that they leave, not both."]


def test_what_is_planned_is_cancelled(world: World, operator: Client) -> None:
    change = a_payer_change(world.us, world.project)
    page = operator.get(page_of(change))
    assert page_of(change, "cancel") in buttons(page)
    assert page_of(change, "retry") not in buttons(page)
    submit(operator, page_of(change, "cancel"), reason="put off")
    change.refresh_from_db()
    assert (change.phase, change.cancelled) == ("Cancelled", 1)


def test_failed_projects_are_listed_from_home_and_retried(world: World, operator: Client, travel: Travel) -> None:
    incomplete = make.in_phase(make.a_ready_account(world.organization, "acme-lab"), "Incomplete")
    change = a_payer_change(incomplete, world.project)
    home = operator.get("/admin/").content.decode()
    assert "Payer changes that will not take effect" in home
    at_risk = operator.get(list_of(PayerChange) + "?view=at-risk").content.decode()
    assert change.name in at_risk
    travel(timedelta(days=1))
    # the session of the day before has expired
    operator = staff("finance-operator", name="operator-of-the-day")
    move_due()
    page = operator.get(page_of(change))
    assert "acme-lab is Incomplete, not Ready" in page.content.decode()
    assert change.name in operator.get(list_of(PayerChange) + "?view=failed").content.decode()
    assert change.name not in operator.get(list_of(PayerChange) + "?view=planned").content.decode()
    BillingAccount.objects.filter(pk=incomplete.pk).update(phase="Ready")
    submit(operator, page_of(change, "retry"), reason="it is complete")
    move_due()
    assert BillingAccountBinding.objects.paying().get(project=world.project).account == incomplete


@pytest.mark.parametrize("who", ["approver", "auditor"])
def test_others_look_and_move_nothing(who: str, world: World, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(who)
    change = a_payer_change(world.us, world.project)
    assert client.get(page_of(change)).status_code == 200
    assert client.get(list_of(PayerChangeItem)).status_code == 200
    with nothing_changes():
        for address in (page_of(world.eu, MOVE), page_of(change, "cancel"), list_of(Project, MOVE)):
            assert client.get(address).status_code == client.post(address).status_code == 403


def test_a_move_of_more_than_one_person_may_decide_is_requested_and_moves_once_approved(
    world: World, operator: Client, approver: Client, settings: Any
) -> None:
    settings.MILO_APPROVE_MOVES_OVER = 0
    address = page_of(world.eu, MOVE)
    values = {"account": world.us.pk, "reason": "it closes", "name": "eu-to-us"}
    with nothing_changes():
        page = operator.post(address, filled_in(operator.get(address), **values))
    preview = dict(page.context["preview"])
    assert (preview["Projects that move"], preview["Approval"]) == (1, "A second person must approve it.")
    answer = submit(operator, address, **values)
    request = ApprovalRequest.objects.get()
    assert answer.headers["Location"] == page_of(request)
    assert not PayerChange.objects.exists()
    page_text = approver.get(page_of(request)).content.decode()
    assert "webapp-frontend" in page_text
    assert "acme-eu (1)" in page_text
    assert submit(approver, page_of(request, "approve")).status_code == 302
    assert PayerChange.objects.get().name == "eu-to-us"


def test_projects_selected_in_the_list_are_those_of_the_form(world: World, operator: Client, auditor: Client) -> None:
    other = make.a_project(world.organization, "data-lake")
    page = operator.get(list_of(Project)).content.decode()
    assert f'form="selection" name="selected" value="{other.pk}" aria-label="Select data-lake"' in page
    assert f'<form id="selection" method="get" action="{list_of(Project, MOVE)}"' in page
    assert 'name="selected"' not in auditor.get(list_of(Project)).content.decode()
    address = list_of(Project, MOVE) + f"?selected={world.project.pk}&selected={other.pk}&selected=x&selected=999"
    initial = operator.get(address).context["form"].initial
    assert (initial["projects"], initial["organization"]) == (["data-lake", "webapp-frontend"], world.organization.pk)
    submit(operator, address, account=world.us.pk, reason="it closes", name="selected")
    assert PayerChange.objects.get().projects == ["data-lake", "webapp-frontend"]


def test_projects_of_two_organizations_do_not_move_together(world: World, operator: Client) -> None:
    foreign = make.a_project(make.an_organization(), "foreign")
    address = list_of(Project, MOVE) + f"?selected={world.project.pk}&selected={foreign.pk}"
    assert "organization" not in operator.get(address).context["form"].initial
    with nothing_changes():
        page = submit(operator, address, organization=world.organization.pk, account=world.us.pk, reason="x", name="x")
    assert errors(page)["projects"] == ["1: there is no project foreign in this organization"]
