"""The default account on the page of an organization, and what a new project is told."""

from django.test import Client

from billing.models import BillingAccountBinding, DefaultAccount
from milo.identity.models import LogIn
from projects.models import Project
from tests.admin.browser import buttons, errors, filled_in, list_of, page_of, staff, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import authors, nothing_changes

WHY = "the department moved"


def test_the_button_sets_the_default_account_and_the_page_shows_it(world: World, operator: Client) -> None:
    address = page_of(world.organization, "default-account")
    assert address in buttons(operator.get(page_of(world.organization)))
    submit(operator, address, account=world.us.pk, why=WHY)
    default = DefaultAccount.objects.get()
    assert (default.account, authors(default)) == (world.us, {"user:operator"})
    assert page_of(world.us) in operator.get(page_of(world.organization)).content.decode()
    submit(operator, address, account="", why="closed soon")
    default.refresh_from_db()
    assert default.account is None


def test_it_asks_for_a_reason_and_shows_before_and_after(world: World, operator: Client, auditor: Client) -> None:
    make.a_project(world.organization)
    address = page_of(world.organization, "default-account")
    for was, account, said in (("", world.us, "- → acme-us"), (world.us.pk, world.eu, "acme-us → acme-eu")):
        page = operator.get(address)
        assert filled_in(page)["account"] == was
        with nothing_changes():
            assert "why" in errors(operator.post(address, filled_in(page, account=account.pk)))
            shown = operator.post(address, filled_in(page, account=account.pk, why=WHY))
        changed, reason, note = shown.context["preview"]
        assert (changed, reason) == (("Account that pays for new projects", said), ("Reason", WHY))
        assert "Projects of acme-corp without a payer: 1" in note[1]
        operator.post(address, {**filled_in(shown), "confirm": "1"})
    [same] = operator.post(address, filled_in(operator.get(address), why=WHY)).context["preview"]
    assert "nothing" in same[1]
    assert WHY in operator.get(page_of(world.organization, "history")).content.decode()
    ledger = auditor.get(list_of(LogIn, "ledger"), {"action": "DefaultAccountSet"}).content.decode()
    assert ledger.count(WHY) == 2


def test_it_says_how_many_projects_stay_without_a_payer(world: World, operator: Client) -> None:
    make.a_project(world.organization)
    address = page_of(world.organization, "default-account")
    answer = operator.get(submit(operator, address, account=world.us.pk, why=WHY).headers["Location"])
    assert "Projects of acme-corp without a payer: 1" in answer.content.decode()


def test_a_project_created_on_the_staff_site_is_bound(world: World, operator: Client) -> None:
    submit(operator, page_of(world.organization, "default-account"), account=world.us.pk, why=WHY)
    submit(operator, list_of(Project, "create-project"), organization=world.organization.pk, name="search")
    assert BillingAccountBinding.objects.get(name="search-default").account == world.us


def test_a_foreign_or_closed_account_is_refused(world: World, operator: Client) -> None:
    theirs = make.a_ready_account(make.an_organization())
    closed = make.in_phase(make.a_ready_account(world.organization), "Closed")
    address = page_of(world.organization, "default-account")
    with nothing_changes():
        for account in (theirs, closed):
            assert "account" in errors(submit(operator, address, account=account.pk, why=WHY))


def test_revising_the_name_keeps_the_default(world: World, operator: Client) -> None:
    submit(operator, page_of(world.organization, "default-account"), account=world.us.pk, why=WHY)
    submit(operator, page_of(world.organization, "revise"), display_name="ACME", why="renamed")
    assert DefaultAccount.objects.get().account == world.us


def test_who_only_reads_has_no_button(world: World) -> None:
    auditor = staff("auditor")
    assert buttons(auditor.get(page_of(world.organization))) == set()
    with nothing_changes():
        assert auditor.post(page_of(world.organization, "default-account"), {"account": ""}).status_code == 403
