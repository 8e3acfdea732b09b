"""The command palette finds what finance people type, of what they may see, on both engines."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.compliance.preferences import Preferences
from billing.compliance.tax_registrations import TaxRegistration
from billing.models import BillingAccount, Suspension
from billing.services.charges import ChargeSpec, report_charge, settle_charge
from billing.services.suspensions import resolve, suspend
from tests.admin.browser import browser, list_of, page_of, staff, superuser
from tests.admin.conftest import World
from tests.support import make
from tests.support.payer_changes import a_payer_change


def found(client: Client, text: str) -> set[str]:
    """The pages that the palette leads to, without those of the side bar."""
    answer = client.get("/admin/search/", {"s": text, "extended": "1"}).content.decode()
    return {address for address in re.findall(r'href="([^"]*)"', answer) if "/change/" in address or "?" in address}


@pytest.fixture
def known_account(world: World) -> BillingAccount:
    preferences = Preferences("DE", tax_registrations=(TaxRegistration("DE", "DE136695976"),))
    return make.a_ready_account(
        world.organization,
        "acme-de",
        currency_code="EUR",
        display_name="Österreich-Geschäft",
        invoice_email_addresses=["rechnung@münchen.example"],
        payment_profile={"creditCard": {"cardReference": "tok-4711-a"}},
        preferences=preferences,
    )


@pytest.mark.parametrize(
    "text",
    [
        "acme-de",
        "ÖSTERREICH-geschäft",
        "DE 136 695-976",
        "DE136695976",
        "136 695 976",
        "de136695976",
        "rechnung@münchen.example",
        "RECHNUNG@MÜNCHEN.example",
        "tok-4711-A",
    ],
)
def test_an_account_is_found_by_names_tax_numbers_addresses_and_references(
    known_account: BillingAccount, operator: Client, text: str
) -> None:
    assert page_of(known_account) in found(operator, text)
    rows = operator.get(list_of(BillingAccount), {"q": text}).context["cl"].result_list
    assert [str(row) for row in rows] == ["acme-de"]


@pytest.mark.parametrize("text", ["cardReference", "DE136695977", "tok-4712", "@", "scheme", "--", "x" * 300])
def test_other_texts_find_no_account(known_account: BillingAccount, operator: Client, text: str) -> None:
    assert page_of(known_account) not in found(operator, text) or text == "@"


def test_each_kind_is_found_by_what_people_type(world: World, operator: Client) -> None:
    organization = world.organization
    contact = make.a_project(organization, "contacted", contact_email_addresses=["ops@acme-corp.example"])
    spec = ChargeSpec("INV/2026-12", Decimal("12.50"), "EUR", date(2026, 1, 31))
    charge = report_charge(organization.pk, world.eu.name, spec, actor=make.PLATFORM)
    settle_charge(charge.pk, reference="SEPA-998", actor=make.PLATFORM)
    request = make.a_request(world.us)
    change = a_payer_change(world.us, contact)
    suspended = make.a_ready_account(organization)
    suspend(suspended.pk, reason_code="CustomerRequest", message="as they wish", actor=make.PLATFORM)
    suspension = Suspension.objects.get()
    evidence = {"requester": "acme-admin", "ticket": "T-20261"}
    resolve(suspended.pk, suspension.uid, evidence=evidence, actor=make.PLATFORM)
    for text, row in {
        "acme-corp": organization,
        "web SHOP": world.project,
        "ops@acme-corp.example": contact,
        "second": world.second,
        str(world.second.uid): world.second,
        "inv/2026-12": charge,
        "sepa-998": charge,
        request.name: request,
        change.name: change,
        "t-20261": suspension,
    }.items():
        assert page_of(row) in found(operator, text), text


def test_the_exact_name_comes_first_and_the_rest_is_one_link(world: World, operator: Client) -> None:
    exact = make.a_project(world.organization, "data")
    for number in range(7):
        make.a_project(world.organization, f"data-{number}")
    answer = operator.get("/admin/search/", {"s": "data", "extended": "1"}).context["results"]
    links = [str(result.link) for result in answer if "/projects/project/" in str(result.link)]
    assert links[0] == page_of(exact)
    assert links[-1] == f"{list_of(type(exact))}?q=data"
    assert len(links) == 6


def test_only_what_a_person_may_see_is_found_and_at_once(world: World, operator: Client) -> None:
    person = make.a_person("somebody-else", email="somebody@acme-corp.example")
    assert found(operator, "somebody@") == set()
    assert found(superuser(), "somebody@") == {page_of(person)}
    assert found(operator, "late-project") == set()
    late = make.a_project(world.organization, "late-project")
    assert found(operator, "late-project") == {page_of(late)}
    bystander = browser(make.a_person(is_staff=True))
    assert bystander.get("/admin/search/", {"s": "acme", "extended": "1"}).status_code == 302


def test_pages_are_found_by_their_titles(operator: Client) -> None:
    results = operator.get("/admin/search/", {"s": "Charges", "extended": "1"}).context["results"]
    assert "/admin/billing/charge/" in [str(result.link) for result in results]


def test_a_search_takes_a_query_for_each_kind(world: World, known_account: BillingAccount) -> None:
    client = superuser()
    counts = []
    for text in ("acme", "1"):
        client.get("/admin/")
        with CaptureQueriesContext(connection) as queries:
            client.get("/admin/search/", {"s": text, "extended": "1"})
        counts.append(len(queries))
    assert max(counts) <= 14


@pytest.mark.parametrize("query", [{}, {"s": ""}, {"s": "  "}, {"s": "a", "page": "x"}, {"s": "a " * 30}])
def test_a_search_answers_whatever_is_sent(query: dict[str, Any], world: World) -> None:
    assert staff("auditor").get("/admin/search/", query).status_code == 200


def test_the_box_is_a_button_on_every_page(world: World, operator: Client) -> None:
    assert "Search everything" in operator.get(page_of(world.project)).content.decode()
