"""A form that somebody else was faster than: it says who changed what, keeps the answers, and can be sent again."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client

from billing.models import ApprovalRequest, BillingAccount
from billing.services.accounts import AccountSpec, revise
from billing.services.approvals.requests import renew
from milo.access import Actor
from milo.admin import conflicts
from milo.admin.actions import ServiceAction
from milo.admin.read_only import ReadOnlyAdmin
from milo.admin.resources import SeenAction, SeenForm
from milo.kube.models import Change
from projects.models import Organization, Project
from projects.services.organizations import OrganizationSpec, revise_organization
from projects.services.projects import ProjectSpec, revise_project
from tests.admin.browser import browser, errors, filled_in, page_of
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import nothing_changes

OTHER = Actor.system("somebody-else")
OWNER, LEAVER = "user:root", "user:leaver"


@dataclass(frozen=True)
class Case:
    """A form about `row`, what somebody else does meanwhile, what is typed, and what the form says of the change."""

    row: Callable[[World], Any]
    meanwhile: Callable[[Any], object]
    says: str
    who: str = OTHER.name
    answers: dict[str, Any] = field(default_factory=dict)


def a_request(world: World) -> ApprovalRequest:
    return make.a_request(world.us, "Close", actor=Actor(OWNER, frozenset({"finance-operator"})))


def of_one_who_left(world: World) -> ApprovalRequest:
    make.a_person("leaver", is_active=False)
    return make.a_request(world.us, "Close", actor=Actor(LEAVER, frozenset({"finance-operator"})))


def renewed(request: ApprovalRequest) -> None:
    revise(request.account_id, AccountSpec("Renamed", "USD", make.TERMS, make.CARD), actor=make.PLATFORM)
    renew(request.pk, actor=Actor(request.requester, frozenset({"finance-operator"})))


def rebound(project: Project) -> None:
    make.a_binding(project, BillingAccount.objects.get(name="acme-us"), "third")


def terms_revised(account: BillingAccount) -> None:
    terms = make.TERMS.__class__(net_days=45, invoice_frequency="Monthly", invoice_day_of_month=1)
    revise(account.pk, AccountSpec("", "USD", terms, make.CARD), actor=OTHER)


# the preview is left out
MINE = {"display_name": "Mine", "why": "renamed", "confirm": "1"}
DECISION = {"comment": "as agreed"}
CASES: dict[tuple[type, str], Case] = {
    (Organization, "revise"): Case(
        lambda world: world.organization,
        lambda row: revise_organization(row.pk, OrganizationSpec("Theirs"), actor=OTHER),
        "Display name: An organization → Theirs",
        answers={"display_name": "Mine", "why": "renamed"},
    ),
    (Organization, "default-account"): Case(
        lambda world: world.organization,
        lambda row: revise_organization(row.pk, OrganizationSpec("Theirs"), actor=OTHER),
        "Display name: An organization → Theirs",
        answers={"account": lambda world: world.eu.pk, "why": "the department moved"},
    ),
    (Project, "revise"): Case(
        lambda world: world.project,
        lambda row: revise_project(row.pk, ProjectSpec("Theirs", ["ops@acme-corp.example"]), actor=OTHER),
        "Contact e-mail addresses: - → ops@acme-corp.example; Display name: Web shop → Theirs",
        answers={"display_name": "Mine", "why": "renamed"},
    ),
    (Project, "bind"): Case(
        lambda world: world.project,
        rebound,
        "Billing responsibility - Account: acme-eu → acme-us",
        who=make.PLATFORM.name,
        answers={
            "name": "fourth",
            "account": lambda world: make.a_ready_account(world.organization, "acme-asia").pk,
            "reason": "the department moves",
        },
    ),
    (BillingAccount, "revise"): Case(
        lambda world: world.us, terms_revised, "Net days: 30 → 45", answers={"display_name": "Mine", "why": "renamed"}
    ),
    **{
        (ApprovalRequest, act): Case(a_request, renewed, "Generation: 1 → 2", who=OWNER, answers=answers)
        for act, answers in (("approve", DECISION), ("reject", DECISION), ("withdraw", DECISION), ("renew", {}))
    },
    (ApprovalRequest, "takeover"): Case(of_one_who_left, renewed, "Generation: 1 → 2", who=LEAVER, answers=DECISION),
}


def actions() -> dict[tuple[type, str], type[ServiceAction]]:
    return {
        (model, action.name): action
        for model, page in admin.site._registry.items()
        if isinstance(page, ReadOnlyAdmin)
        for action in (*page.list_actions, *page.object_actions)
        if issubclass(action, SeenAction) or issubclass(action.form_class, SeenForm)
    }


class OpenForm(NamedTuple):
    client: Client
    row: Any
    address: str
    answers: dict[str, Any]
    fields: dict[str, Any]


def opened(of: tuple[type, str], world: World, client: Client) -> OpenForm:
    """Open the form of a case, and fill its answers in; an approval is opened by a second person."""
    case = CASES[of]
    row = case.row(world)
    if of[1] == "approve":
        client = browser(make.a_person("second", groups=("finance-approver",), is_staff=True))
    address = page_of(row, of[1])
    answers = {name: value(world) if callable(value) else value for name, value in case.answers.items()}
    return OpenForm(client, row, address, answers, filled_in(client.get(address), **answers))


@pytest.fixture
def root(db: None) -> User:
    return make.a_person("root", is_staff=True, is_superuser=True)


@pytest.fixture
def client(root: User) -> Client:
    return browser(root)


def test_every_form_that_carries_a_version_has_its_case() -> None:
    assert set(actions()) == set(CASES)
    assert all(
        issubclass(action, SeenAction) and issubclass(action.form_class, SeenForm) for action in actions().values()
    )


@pytest.mark.parametrize("of", CASES, ids=lambda of: f"{of[0].__name__}-{of[1]}")
def test_it_says_who_changed_what_keeps_the_answers_and_can_be_sent_again(
    of: tuple[type, str], world: World, client: Client
) -> None:
    case = CASES[of]
    client, row, address, answers, opened_before = opened(of, world, client)
    case.meanwhile(row)
    with nothing_changes():
        page = client.post(address, {**opened_before, "confirm": "1"})
    refusal, told, hint = errors(page)["__all__"]
    assert "has been modified" in refusal
    assert re.match(rf"{re.escape(case.who)} changed it at \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC: ", told)
    assert case.says in told
    assert "What you typed is kept" in hint
    sent_again = filled_in(page)
    assert {name: str(sent_again[name]) for name in answers} == {name: str(value) for name, value in answers.items()}
    newest = Change.objects.filter(uid=row.uid).latest("resource_version").resource_version
    assert sent_again["resource_version"] == str(newest) != str(opened_before["resource_version"])
    assert client.post(address, {**sent_again, "confirm": "1"}).status_code == 302
    assert Change.objects.filter(uid=row.uid).latest("resource_version").resource_version > newest


def test_after_a_conflict_the_form_offers_to_go_over_the_changes_or_to_start_again(
    world: World, client: Client
) -> None:
    client, row, address, _answers, sent = opened((ApprovalRequest, "withdraw"), world, client)
    assert "Discard mine" not in client.get(address).content.decode()
    renewed(row)
    page = client.post(address, sent).content.decode()
    assert "Withdraw, over these changes" in page
    assert f'href="{address}"' in page.split("Discard mine")[0].rpartition("<a ")[2]
    assert filled_in(client.get(address))["comment"] == ""


def test_a_preview_is_refused_once_and_then_shows_what_the_new_version_would_become(
    world: World, client: Client
) -> None:
    _client, _row, address, _answers, sent = opened((Project, "bind"), world, client)
    rebound(world.project)
    page = client.post(address, sent)
    assert "has been modified" in errors(page)["__all__"][0]
    assert "Preview with the new version" in page.content.decode()
    assert client.post(address, filled_in(page)).context["preview"] is not None


def test_a_change_between_the_two_looks_is_refused_again(world: World, client: Client) -> None:
    address = page_of(world.organization, "revise")
    sent = filled_in(client.get(address), **MINE)
    for name in ("First", "Second"):
        revise_organization(world.organization.pk, OrganizationSpec(name), actor=OTHER)
        with nothing_changes():
            page = client.post(address, sent)
        assert f"→ {name}" in errors(page)["__all__"][1]
        sent = filled_in(page, confirm="1")
    assert client.post(address, sent).status_code == 302


@pytest.mark.parametrize("version", ["", "x", "1.5", None])
def test_a_form_that_says_no_version_is_given_one(version: str | None, world: World, client: Client) -> None:
    address = page_of(world.organization, "revise")
    sent = filled_in(client.get(address), **MINE)
    del sent["resource_version"]
    with nothing_changes():
        page = client.post(address, sent if version is None else {**sent, "resource_version": version})
    assert "What you typed is kept" in errors(page)["__all__"][0]
    assert client.post(address, filled_in(page, confirm="1")).status_code == 302


def test_of_many_changes_the_newest_are_told(world: World, client: Client) -> None:
    address = page_of(world.organization, "revise")
    sent = filled_in(client.get(address), **MINE)
    for number in range(conflicts.SHOWN + 2):
        revise_organization(world.organization.pk, OrganizationSpec(f"number {number}"), actor=OTHER)
    page = client.post(address, sent)
    _refusal, *told, more, _hint = errors(page)["__all__"]
    assert len(told) == conflicts.SHOWN
    assert told[0].endswith("number 10 → number 11")
    assert more == "Earlier changes are in the history."
    assert client.post(address, filled_in(page, confirm="1")).status_code == 302


def test_what_others_typed_is_shown_as_text(world: World, client: Client) -> None:
    address = page_of(world.organization, "revise")
    sent = filled_in(client.get(address), **MINE)
    revise_organization(world.organization.pk, OrganizationSpec("<script>alert(1)</script>"), actor=OTHER)
    page = client.post(address, sent).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
