"""Binding a project on its page: who pays now, what will happen, and only then the act."""

import pytest
from django.test import Client

from billing.models import BillingAccount, BillingAccountBinding
from projects.services.projects import ProjectSpec, revise_project
from tests.admin.browser import buttons, errors, filled_in, page_of, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import authors, nothing_changes
from tests.support.payer_changes import a_payer_change
from tests.support.usage import an_event, taken

WHY = "the department moves"


def payer(world: World) -> str:
    binding = BillingAccountBinding.objects.paying().select_related("account").get(project=world.project)
    return binding.account.name


def test_the_page_says_who_pays_now_and_offers_the_ready_accounts_of_the_organization(
    world: World, operator: Client
) -> None:
    make.an_incomplete_account(world.organization, "acme-lab")
    make.a_ready_account(make.an_organization(), "other")
    page = operator.get(page_of(world.project, "bind"))
    assert "acme-eu" in str(dict(page.context["facts"])["Who pays now"])
    offered = operator.get(page_of(world.project, "bind"), {"search": "account"}).json()["results"]
    assert {account["text"] for account in offered} == {"acme-us (USD)", "acme-eu (EUR)"}


def test_a_preview_says_what_will_happen_and_changes_nothing(world: World, operator: Client) -> None:
    address = page_of(world.project, "bind")
    with nothing_changes():
        page = operator.post(address, filled_in(operator.get(address), account=world.us.pk, name="third", reason=WHY))
    preview = dict(page.context["preview"])
    assert "acme-us" in preview["Pays from then on"]
    assert preview["Binding that begins"] == "third"
    assert "second" in preview["Binding that ends"]


def test_a_preview_says_what_the_other_payer_means(world: World, operator: Client) -> None:
    revise_project(world.project.pk, ProjectSpec("Web shop", ["ops@acme-corp.example"]), actor=make.PLATFORM)
    taken(an_event(world.project, "5"))
    address = page_of(world.project, "bind")
    with nothing_changes():
        page = operator.post(address, filled_in(operator.get(address), account=world.us.pk, reason=WHY))
    preview = dict(page.context["preview"])
    assert preview["Currency before and after"] == "EUR → USD"
    assert preview["Usage of this month that stays with who paid then"] == "compute cpu-time: 5 s"
    # the mail address of the project's own contact does not change
    assert preview["Notices reach from then on"] == "invoices@acme-corp.example<br>ops@acme-corp.example"
    assert preview["Notices reach until then"] == "ops@acme-corp.example"
    assert preview["Reason"] == WHY


def test_the_reason_is_asked_for_and_recorded(world: World, operator: Client) -> None:
    address = page_of(world.project, "bind")
    for reason in ("", " ", "card 4111111111111111"):
        with nothing_changes():
            page = submit(operator, address, account=world.us.pk, name="third", reason=reason)
        assert "reason" in errors(page), reason
    submit(operator, address, account=world.us.pk, name="third", reason=WHY)
    third = BillingAccountBinding.objects.get(name="third")
    assert third.history.latest().history_change_message == f"acme-us pays for webapp-frontend: {WHY}"


def test_a_planned_payer_change_is_shown_and_leaves_no_button(world: World, operator: Client) -> None:
    change = a_payer_change(world.us, world.project)
    page = operator.get(page_of(world.project, "bind"))
    assert change.name in str(dict(page.context["facts"])["Planned payer change"])
    assert "cancel that first" in page.context["obstacle"]
    assert "Preview" not in page.content.decode()


def test_a_confirmed_preview_binds_the_project(world: World, operator: Client) -> None:
    answer = submit(operator, page_of(world.project, "bind"), account=world.us.pk, name="third", reason=WHY)
    assert answer.headers["Location"] == page_of(world.project)
    third = BillingAccountBinding.objects.get(name="third")
    assert payer(world) == "acme-us"
    assert third.supersedes == world.second
    assert authors(third) == {"user:operator"}
    assert "acme-us pays for webapp-frontend from now on." in operator.get(page_of(world.project)).content.decode()


def test_a_preview_can_be_left_to_edit_the_answers(world: World, operator: Client) -> None:
    address = page_of(world.project, "bind")
    answers = filled_in(operator.get(address), account=world.us.pk, name="third", reason=WHY)
    with nothing_changes():
        page = operator.post(address, {**answers, "edit": "1"})
    assert page.context.get("preview") is None
    assert filled_in(page)["name"] == "third"


def test_a_project_without_a_payer_gets_its_first(world: World, operator: Client) -> None:
    project = make.a_project(world.organization, "data-lake")
    page = operator.get(page_of(project, "bind"))
    assert dict(page.context["facts"])["Who pays now"] == "nobody"
    submit(operator, page_of(project, "bind"), account=world.us.pk, reason=WHY)
    assert BillingAccountBinding.objects.paying().get(project=project).account == world.us


def test_an_account_that_is_not_ready_is_refused_at_its_field(world: World, operator: Client) -> None:
    lab = make.an_incomplete_account(world.organization, "acme-lab")
    with nothing_changes():
        page = submit(operator, page_of(world.project, "bind"), account=lab.pk, reason=WHY)
    assert "acme-lab is Incomplete, not Ready" in errors(page)["account"][0]


def test_the_present_payer_is_refused_at_its_field(world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, page_of(world.project, "bind"), account=world.eu.pk, reason=WHY)
    assert errors(page)["account"] == ["acme-eu pays for this project already, by binding second"]


def test_an_account_of_another_organization_is_no_choice(world: World, operator: Client) -> None:
    foreign = make.a_ready_account(make.an_organization())
    with nothing_changes():
        page = submit(operator, page_of(world.project, "bind"), account=foreign.pk, reason=WHY)
    assert list(errors(page)) == ["account"]


@pytest.mark.parametrize(("name", "said"), [("first", "__all__"), ("Not a label", "name")])
def test_a_name_that_is_taken_or_wrong_is_refused(name: str, said: str, world: World, operator: Client) -> None:
    with nothing_changes():
        page = submit(operator, page_of(world.project, "bind"), account=world.us.pk, name=name, reason=WHY)
    assert said in errors(page)


def test_a_payer_that_changed_after_the_preview_is_not_replaced_unseen(world: World, operator: Client) -> None:
    address = page_of(world.project, "bind")
    preview = operator.post(address, filled_in(operator.get(address), account=world.us.pk, name="third", reason=WHY))
    other = make.a_ready_account(world.organization, "acme-ap")
    make.a_binding(world.project, other, "meanwhile")
    with nothing_changes():
        page = operator.post(address, {**filled_in(preview), "confirm": "1"})
    assert "has been modified" in errors(page)["__all__"][0]


def test_a_refusal_after_the_preview_is_shown_too(world: World, operator: Client) -> None:
    address = page_of(world.project, "bind")
    preview = operator.post(address, filled_in(operator.get(address), account=world.us.pk, name="third", reason=WHY))
    BillingAccount.objects.filter(pk=world.us.pk).update(phase="Suspended")
    with nothing_changes():
        page = operator.post(address, {**filled_in(preview), "confirm": "1"})
    assert "Suspended" in errors(page)["account"][0]


def test_the_button_is_for_those_who_may_and_for_active_projects(
    world: World, operator: Client, auditor: Client
) -> None:
    address = page_of(world.project, "bind")
    assert address in buttons(operator.get(page_of(world.project)))
    assert buttons(auditor.get(page_of(world.project))) == set()
    submit(operator, page_of(world.project, "archive"))
    assert address not in buttons(operator.get(page_of(world.project)))
