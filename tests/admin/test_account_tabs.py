"""The page of an account in tabs: each is read when it is opened, and nothing before."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import BillingAccount
from billing.services.charges import ChargeSpec, report_charge
from billing.services.holds import set_hold
from billing.services.suspensions import suspend
from tests.admin.browser import greyed, page_of, parts_of
from tests.admin.conftest import World
from tests.support import make
from tests.support.affiliations import an_affiliation


@pytest.fixture
def busy(world: World) -> BillingAccount:
    """Pays for projects, is under another and above others, is charged, held and suspended, and has had requests."""
    account = make.a_ready_account(world.organization, "acme-busy", display_name="Acme of the North")
    an_affiliation(account, make.a_ready_account(world.organization, "acme-group"), payer="Self")
    for number in range(25):
        make.a_binding(make.a_project(world.organization), account)
        an_affiliation(make.a_ready_account(world.organization), account, payer="Self")
        spec = ChargeSpec(f"inv-{number}", Decimal(1), "USD", date(2026, 1, 31))
        report_charge(world.organization.pk, account.name, spec, actor=make.PLATFORM)
    set_hold(account.pk, type="Dispute", message="invoice 12 is disputed", actor=make.PLATFORM)
    make.a_request(account)
    suspend(account.pk, reason_code="Chargeback", message="another", actor=make.PLATFORM)
    return account


def test_the_page_takes_few_queries_and_little_room_before_a_tab_is_opened(
    busy: BillingAccount, operator: Client
) -> None:
    operator.get(page_of(busy))  # what a process looks up once is not the page's
    with CaptureQueriesContext(connection) as queries:
        page = operator.get(page_of(busy))
    assert len(queries) <= 12, [query["sql"][:150] for query in queries]
    assert len(page.content) <= 150_000


def test_a_tab_shows_its_part_under_the_header_and_no_other(busy: BillingAccount, operator: Client) -> None:
    parts = parts_of(operator, busy)
    opened = []
    for part in parts:
        assert part.context["account_header"].title == busy.display_name
        [current] = [tab for tab in part.context["tabs"] if tab.is_open]
        opened.append(str(current.title))
        assert part.content.decode().count('aria-current="page"') >= 1
    assert opened[0] == "billing account"
    assert len(set(opened)) == len(opened) >= 9
    charges = next(part for part in parts if "tab=charges" in part.request["QUERY_STRING"])
    assert [panel.title for panel in charges.context["panels"]] == ["Charges"]
    assert "Terms and payment" not in charges.content.decode()


def test_a_tab_that_there_is_not_shows_the_fields(world: World, operator: Client) -> None:
    for name in ("none", "", "archive", "x" * 1000, "<b>"):
        page = operator.get(page_of(world.us), {"tab": name})
        assert page.status_code == 200
        assert page.context["tabs"][0].is_open
        assert "Terms and payment" in page.content.decode()


def test_what_became_of_a_closed_account_has_a_tab(world: World, operator: Client) -> None:
    closed = make.in_phase(world.us, "Closed")
    page = operator.get(page_of(closed), {"tab": "archive"}).content.decode()
    assert "Purge of personal data" in page
    assert "Terms and payment" not in page


@pytest.mark.parametrize(
    ("phase", "title", "why"),
    [
        ("Ready", "Request reactivation", "The account is Ready; possible while it is: Suspended."),
        ("Ready", "Resolve suspension", "No suspension is open."),
        ("Ready", "Request release of a hold", "No hold is open."),
        ("Incomplete", "Suspend", "The account is Incomplete; possible while it is: Ready, Suspended."),
        ("Closed", "Revise", "The account is Closed, and stays as it is."),
        ("Closed", "Place under another account", "The account is Closed, and stays as it is."),
        ("Archived", "Request reopening", "The account is Archived; possible while it is: Closed."),
    ],
)
def test_what_is_impossible_now_is_greyed_with_the_reason(
    phase: str, title: str, why: str, world: World, operator: Client, auditor: Client
) -> None:
    account = make.in_phase(make.a_ready_account(world.organization), phase)
    page = operator.get(page_of(account))
    assert greyed(page)[title] == why
    assert why in page.content.decode()
    # nobody is told of what the role does not do
    assert greyed(auditor.get(page_of(account))) == {}


def test_what_is_possible_is_not_greyed(busy: BillingAccount, operator: Client) -> None:
    assert set(greyed(operator.get(page_of(busy)))) == {"Request reopening"}
