"""The top of an account's page: its names, how it stands, and what is owed on it."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from billing.admin.account_header import account_header
from billing.compliance.preferences import Preferences
from billing.models import BillingAccount
from billing.services.charges import ChargeSpec, report_charge, settle_charge
from billing.services.suspensions import suspend
from milo.admin.reasons import reason
from tests.admin.browser import page_of
from tests.admin.conftest import World
from tests.support import make
from tests.support.affiliations import an_affiliation

pytestmark = pytest.mark.once


def a_charge(
    account: BillingAccount, amount: str = "1", due: date = date(2026, 1, 31), *, currency: str = "USD"
) -> None:
    spec = ChargeSpec(make.a_name("inv"), Decimal(amount), currency, due)
    report_charge(account.organization_id, account.name, spec, actor=make.PLATFORM)


def facts(account: BillingAccount, today: date | None = None) -> dict[str, Any]:
    account = BillingAccount.objects.get(pk=account.pk)
    return dict(account_header(account, "", today or timezone.now().date()).facts)


def test_the_page_says_every_name_whole_however_long_it_is(world: World, operator: Client) -> None:
    account = make.a_ready_account(world.organization, "a" * 63, display_name="Acme Corporation of the North " * 6)
    page = operator.get(page_of(account)).context["account_header"]
    assert page.title == account.display_name
    assert dict(page.facts)["Name"] == account.name
    assert "acme-corp" in dict(page.facts)["Organization"]
    assert "Ready" in page.phase
    assert page.payer == ""


def test_terms_country_and_reason_are_in_words(world: World) -> None:
    shown = facts(make.a_ready_account(world.organization, "words", preferences=Preferences("DE")))
    assert shown["Payment terms"] == "Monthly, net days: 30"
    assert shown["Country of the payer"] == "Germany (DE)"
    assert ">Active, and ready for projects<" in shown["Reason"]
    assert shown["Currency"] == "USD"
    suspend(world.us.pk, reason_code="OwnershipDispute", message="Two <b> claim it.", actor=make.PLATFORM)
    assert facts(world.us)["Reason"] == f"{reason('OwnershipDispute')}<br>Two &lt;b&gt; claim it."


def test_what_is_owed_is_summed_in_minor_units_and_leads_to_the_charges(world: World, operator: Client) -> None:
    assert (facts(world.us)["Outstanding charges"], facts(world.us)["Overdue charges"]) == ("none", "none")
    today = timezone.now().date()
    late, soon = today - timedelta(days=3), today + timedelta(days=3)
    for day, amount in ((late, "100000000000000.10"), (soon, "0.20"), (today, "5")):
        a_charge(world.us, amount, day)
    shown = facts(world.us)
    assert "100,000,000,000,005.30 USD (charges: 3)" in shown["Outstanding charges"]
    assert "100,000,000,000,000.10 USD (charges: 1)<br>" in shown["Overdue charges"]
    assert f"the oldest was due on {late}" in shown["Overdue charges"]
    page = shown["Overdue charges"].split('"')[1].replace("&amp;", "&")
    assert [charge.due_date for charge in operator.get(page).context["cl"].result_list] == [late]
    for charge in world.us.charges.all():
        settle_charge(charge.pk, reference="wire 7", actor=make.PLATFORM)
    assert facts(world.us)["Outstanding charges"] == "none"


def test_amounts_have_the_decimals_of_their_currency(world: World) -> None:
    account = make.a_ready_account(world.organization, "yen", currency_code="JPY")
    a_charge(account, "100", currency="JPY")
    assert "100 JPY (charges: 1)" in facts(account)["Outstanding charges"]


def test_an_account_that_another_pays_for_says_so(world: World, operator: Client) -> None:
    child = make.a_ready_account(world.organization, "child")
    an_affiliation(child, world.us)
    page = operator.get(page_of(child))
    assert page_of(world.us) in page.context["account_header"].payer
    assert "paid by" in page.content.decode()
    assert page_of(world.us) not in operator.get(page_of(world.eu)).context["account_header"].payer


@pytest.mark.parametrize("phase", BillingAccount.Phase.values)
def test_every_phase_has_a_header_in_german_too(phase: str, world: World) -> None:
    account = make.in_phase(world.us, phase)
    with translation.override("de"):
        reason = facts(account)["Grund"]
    assert reason
    assert "Billing account" not in reason


def test_the_header_takes_a_query_for_all_charges(world: World) -> None:
    counts = []
    for more in (1, 6):
        for _each in range(more):
            a_charge(world.us)
        account = BillingAccount.objects.select_related("organization").get(pk=world.us.pk)
        with CaptureQueriesContext(connection) as queries:
            account_header(account, "", timezone.now().date())
        counts.append(len(queries))
    assert counts == [1, 1]


def test_the_timeline_and_the_table_of_a_tree_have_the_top_of_the_account(world: World, operator: Client) -> None:
    for part, tab in (("timeline", "Timeline"), ("hierarchy", "Accounts above and below")):
        page = operator.get(page_of(world.us, part))
        assert page.context["account_header"].title == "acme-us"
        assert [it.title for it in page.context["tabs"] if it.is_open] == [tab]
        assert "acme-us" in page.content.decode().split("</title>")[0]


def test_nothing_is_read_of_the_characters_of_a_name(world: World, operator: Client) -> None:
    for row in (world.us, world.us.organization, make.a_project(world.us.organization, "wiki")):
        assert "DNS-1123" not in operator.get(page_of(row)).content.decode()
