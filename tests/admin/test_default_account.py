"""The default account on the page of an organization, and what a new project is told."""

from django.test import Client

from billing.models import BillingAccountBinding, DefaultAccount
from projects.models import Project
from tests.admin.browser import buttons, errors, list_of, page_of, staff, submit
from tests.admin.conftest import World
from tests.support import make
from tests.support.ledger import authors, nothing_changes


def test_the_button_sets_the_default_account_and_the_page_shows_it(world: World, operator: Client) -> None:
    address = page_of(world.organization, "default-account")
    assert address in buttons(operator.get(page_of(world.organization)))
    submit(operator, address, account=world.us.pk)
    default = DefaultAccount.objects.get()
    assert (default.account, authors(default)) == (world.us, {"user:operator"})
    assert page_of(world.us) in operator.get(page_of(world.organization)).content.decode()
    submit(operator, address, account="")
    default.refresh_from_db()
    assert default.account is None


def test_it_says_how_many_projects_stay_without_a_payer(world: World, operator: Client) -> None:
    make.a_project(world.organization)
    address = page_of(world.organization, "default-account")
    page = operator.get(address)
    version = page.context["form"].initial["resource_version"]
    answer = operator.post(address, {"account": world.us.pk, "resource_version": version}, follow=True)
    assert "Projects of acme-corp without a payer: 1" in answer.content.decode()


def test_a_project_created_on_the_staff_site_is_bound(world: World, operator: Client) -> None:
    submit(operator, page_of(world.organization, "default-account"), account=world.us.pk)
    submit(operator, list_of(Project, "create-project"), organization=world.organization.pk, name="search")
    assert BillingAccountBinding.objects.get(name="search-default").account == world.us


def test_a_foreign_or_closed_account_is_refused(world: World, operator: Client) -> None:
    theirs = make.a_ready_account(make.an_organization())
    closed = make.in_phase(make.a_ready_account(world.organization), "Closed")
    address = page_of(world.organization, "default-account")
    with nothing_changes():
        for account in (theirs, closed):
            assert "account" in errors(submit(operator, address, account=account.pk))


def test_revising_the_name_keeps_the_default(world: World, operator: Client) -> None:
    submit(operator, page_of(world.organization, "default-account"), account=world.us.pk)
    submit(operator, page_of(world.organization, "revise"), display_name="ACME", why="renamed")
    assert DefaultAccount.objects.get().account == world.us


def test_who_only_reads_has_no_button(world: World) -> None:
    auditor = staff("auditor")
    assert buttons(auditor.get(page_of(world.organization))) == set()
    with nothing_changes():
        assert auditor.post(page_of(world.organization, "default-account"), {"account": ""}).status_code == 403
