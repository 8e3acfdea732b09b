"""The first page: what needs attention, with the way there."""

import json
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import BillingAccount, Notice, PayerChange, Suspension
from billing.services.affiliations.conditions import foresee
from billing.services.charges import ChargeSpec, report_charge
from billing.services.compliance.assessments import ERRORS
from billing.services.suspensions import resolve
from milo.access import Actor
from milo.admin import attention as home
from milo.admin import estimates
from milo.admin.attention import attention as waiting
from projects.models import Organization
from tests.admin.browser import staff, superuser
from tests.admin.conftest import World
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.database import as_owner
from tests.support.payer_changes import a_payer_change
from tests.support.usage import an_event, taken


def attention(client: Client) -> dict[str, tuple[int, str]]:
    return {item.title: (item.count, item.address) for item in client.get("/admin/").context["attention"]}


def links(client: Client) -> set[str]:
    """What the side bar leads to."""
    groups = client.get("/admin/").context["sidebar_navigation"]
    return {item["link"] for group in groups for item in group["items"]}


OPERATES = frozenset({"finance-operator"})


def test_what_a_role_works_on_daily_is_shown_at_none_and_nothing_else(
    world: World, operator: Client, approver: Client, auditor: Client
) -> None:
    assert attention(operator) == {
        "Incomplete accounts": (0, "/admin/billing/billingaccount/?phase__exact=Incomplete"),
        "Suspensions without resolution": (0, "/admin/billing/suspension/?resolved_at__isempty=1"),
    }
    assert attention(approver) == {
        "Requests for you to decide": (0, "/admin/billing/approvalrequest/?inbox=to-decide"),
    }
    assert attention(auditor) == {}
    assert "Nothing needs attention." in auditor.get("/admin/").content.decode()


def everything(world: World) -> None:
    """Make something of each kind that waits; the request is the operator's."""
    organization, now = world.organization, timezone.now()
    make.an_incomplete_account(organization)
    make.in_phase(make.a_ready_account(organization), "Provisioning")
    taken(an_event(make.a_project(organization)))
    make.in_phase(make.a_ready_account(organization), "Suspended")
    resolved = make.in_phase(make.a_ready_account(organization), "Suspended")
    evidence = {"reviewer": "approver", "note": "cleared"}
    resolve(resolved.pk, Suspension.objects.get(account=resolved).uid, evidence=evidence, actor=make.PLATFORM)
    charge = ChargeSpec(make.a_name("inv"), Decimal("12.50"), "EUR", now.date() - timedelta(days=3))
    report_charge(organization.pk, world.eu.name, charge, actor=make.PLATFORM)
    Notice.objects.create(about="Closed", account=world.eu, cause_uid=uuid4(), subject_uid=uuid4(), phase="Dead")
    BillingAccount.objects.filter(pk=world.eu.pk).update(compliance_reason=ERRORS, compliance_since=now)
    payer = make.a_ready_account(organization)
    a_payer_change(payer, make.a_project(organization))
    make.in_phase(payer, "Suspended")
    failed = a_payer_change(make.a_ready_account(organization), make.a_project(organization))
    outcome = {"total": 1, "done": 0, "failed": 1, "cancelled": 0, "finished_at": now}
    PayerChange.objects.filter(pk=failed.pk).update(phase="Failed", **outcome)
    make.a_request(make.a_ready_account(organization), actor=Actor("user:operator", OPERATES))
    parent = make.a_ready_account(organization)
    an_affiliation(make.a_ready_account(organization), parent, after=1)
    make.in_phase(parent, "Suspended")
    foresee()


def test_everything_that_waits_is_counted_and_leads_to_a_list_of_as_many(
    world: World, operator: Client, approver: Client
) -> None:
    everything(world)
    shown = attention(operator)
    assert set(shown) == {
        "Accounts still being validated",
        "Accounts that will not come under another",
        "Accounts that break a regional rule",
        "Incomplete accounts",
        "Overdue charges",
        "Payer changes that will not take effect",
        "Payer changes with failed projects",
        "Suspensions resolved, reactivation to be requested",
        "Suspensions without resolution",
        "Unbound projects",
        "Undeliverable notices",
        "Usage for which nobody paid",
        "Your requests that wait for a decision",
    }
    decided = attention(approver)
    assert set(decided) - set(shown) == {"Requests for you to decide"}
    for client, items in ((operator, shown), (approver, decided)):
        for title, (count, address) in items.items():
            context = client.get(address).context
            rows = context["cl"].result_count if "cl" in context else len(context["panels"][0].rows)
            assert rows == count > 0, title


def test_a_card_says_how_long_the_oldest_waits(world: World, operator: Client) -> None:
    for days in (1, 3, 2):
        account = make.an_incomplete_account(world.organization)
        since = timezone.now() - timedelta(days=days, minutes=1)
        BillingAccount.objects.filter(pk=account.pk).update(phase_since=since)
    (card,) = (item for item in operator.get("/admin/").context["attention"] if item.title == "Incomplete accounts")
    assert (card.count, card.age.replace("\xa0", " ")) == (3, "the oldest for 3 days")


@pytest.mark.parametrize(("rows", "number"), [(999, "999"), (1000, "1,000"), (1001, "1,000+"), (1200, "1,000+")])
def test_a_count_reads_no_more_than_a_thousand_and_one_rows(rows: int, number: str, db: None) -> None:
    Group.objects.bulk_create(Group(name=f"group-{index}") for index in range(rows))
    with CaptureQueriesContext(connection) as queries:
        item = waiting("Groups", Group.objects.filter(name__startswith="group-"), "name", "/")
    assert (item.number, item.count) == (number, min(rows, 1001))
    assert ["LIMIT 1001" in query["sql"] for query in queries] == [True]


def test_of_a_long_table_the_chart_says_about_how_many_there_are(
    organization: Organization, auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _each in range(6):
        make.a_ready_account(organization)
    make.in_phase(make.a_ready_account(organization), "Suspended")
    monkeypatch.setattr(home, "LONG", 5)
    monkeypatch.setattr(home, "MOST_COUNTED", 2)
    monkeypatch.setattr(estimates, "_known_at", None)
    is_estimated = connection.vendor == "postgresql"
    if is_estimated:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("ANALYZE billing_billingaccount")
    phases = auditor.get("/admin/").context["charts"][0]
    assert ["Ready", "about 6" if is_estimated else "6"] in phases.rows
    assert ["Suspended", "1"] in phases.rows
    assert json.loads(phases.chart)["datasets"][0]["data"] == [0, 0, 6, 1, 0, 0]


def test_charts_have_a_table_as_alternative(world: World, auditor: Client) -> None:
    taken(an_event(world.project), an_event(world.project))
    page = auditor.get("/admin/")
    phases, usage = page.context["charts"]
    assert ["Ready", "2"] in phases.rows
    assert json.loads(phases.chart)["datasets"][0]["data"] == [0, 0, 2, 0, 0, 0]
    assert (len(usage.rows), usage.rows[-1][1], usage.rows[0][1]) == (30, "2", "0")
    assert page.content.decode().count("Show as a table") == 2


def test_the_first_page_takes_a_bounded_number_of_queries(world: World, operator: Client) -> None:
    operator.get("/admin/")
    everything(world)
    everything(world)
    with CaptureQueriesContext(connection) as queries:
        operator.get("/admin/")
    assert len(queries) <= 20


def test_the_side_bar_leads_to_what_the_person_may_see(world: World) -> None:
    ledger = {
        "/admin/",
        "/admin/billing/approvalrequest/",
        "/admin/billing/billingaccount/",
        "/admin/billing/billingaccountaffiliation/",
        "/admin/billing/billingaccountbinding/",
        "/admin/billing/charge/",
        "/admin/billing/hold/",
        "/admin/billing/notice/",
        "/admin/billing/payerchange/",
        "/admin/billing/suspension/",
        "/admin/projects/membership/",
        "/admin/projects/organization/",
        "/admin/projects/project/",
    }
    log_ins = {f"/admin/identity/login/{page}" for page in ("", "ledger/", "people-changes/")}
    people = {"/admin/auth/user/", "/admin/identity/servicetoken/"}
    assert links(staff("auditor")) == ledger | log_ins | people
    assert links(superuser()) == ledger | log_ins | {
        "/admin/auth/user/",
        "/admin/identity/identity/",
        "/admin/identity/servicetoken/",
    }
