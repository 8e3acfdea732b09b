"""Usage on the pages: charts by day, the handover marked, CSV, the queue, and the request that empties it."""

import csv
import io
import json
import re
from datetime import UTC, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import ApprovalRequest
from billing.usage.focus import COLUMNS
from tests.admin.browser import filled_in, page_of, submit, text_of
from tests.admin.conftest import World
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.usage import an_event, taken


def charts(client: Client, address: str) -> list[dict[str, Any]]:
    page = client.get(address).content.decode()
    return [
        json.loads(unescape(found)) for found in re.findall(r'<canvas class="chart"[^>]*data-value="([^"]*)"', page)
    ]


def test_an_account_shows_its_usage_by_service_and_marks_the_handover(world: World, operator: Client) -> None:
    taken(
        an_event(world.project, "2"),
        an_event(world.project, "3"),
        an_event(world.project, "5", data={"service": "web"}),
    )
    taken(an_event(world.project, "7", data={"meter": "requests", "unit": "{request}"}))
    shown = charts(operator, page_of(world.eu) + "?tab=usage")
    # a sum has one unit, and so has a chart
    assert [{row["label"]: row["data"][-1] for row in chart["datasets"]} for chart in shown] == [
        {"compute": 5.0, "web": 5.0},
        {"compute": 7.0},
    ]
    assert all(chart["labels"][-1][1] == "⇄" for chart in shown)
    assert "acme-eu pays for webapp-frontend" in text_of(operator, world.eu)
    assert charts(operator, page_of(world.us) + "?tab=usage") == []


def test_a_project_shows_its_usage_by_payer(world: World, operator: Client) -> None:
    taken(an_event(world.project, "1", time=world.project.created_at - timedelta(days=1)), an_event(world.project, "2"))
    (chart,) = charts(operator, page_of(world.project))
    assert {row["label"]: sum(row["data"]) for row in chart["datasets"]} == {"nobody yet": 1.0, "acme-eu": 2.0}
    assert len({row["backgroundColor"] for row in chart["datasets"]}) == 2


def test_the_usage_is_to_be_had_as_csv(world: World, operator: Client) -> None:
    taken(an_event(world.project, "2.50"))
    day = timezone.now().astimezone(UTC).date()
    for row in (world.eu, world.project):
        answer = operator.get(f"{page_of(row).removesuffix('/change/')}/usage.csv")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.content.decode().splitlines() == [
            "day,account,project,service,meter,unit,quantity,events",
            f"{day},acme-eu,webapp-frontend,compute,cpu-time,s,2.5,1",
        ]


def test_the_queue_is_listed_and_a_request_asks_for_a_span_of_it(world: World, operator: Client) -> None:
    past = world.project.created_at - timedelta(days=40)
    taken(an_event(world.project, "4", time=past))
    page = operator.get("/admin/projects/project/unassigned-usage/").content.decode()
    assert "webapp-frontend" in page
    assert past.astimezone(UTC).date().isoformat() in page
    elsewhere = operator.get("/admin/projects/project/unassigned-usage/?organization=other").content.decode()
    assert "webapp-frontend" not in elsewhere
    span = {"since": (past - timedelta(hours=1)).isoformat(), "until": (past + timedelta(hours=1)).isoformat()}
    submit(
        operator,
        page_of(world.eu, "request-assignment"),
        **span,
        project="webapp-frontend",
        justification="agreed with the customer",
    )
    request = ApprovalRequest.objects.get()
    assert request.reviewed["usage"][0]["quantity"] == "4"


def test_any_month_is_shown_and_exported_within_its_scope(world: World, operator: Client) -> None:
    taken(an_event(world.project, "2.50"))
    month, page = f"{timezone.now().astimezone(UTC):%Y-%m}", f"{page_of(world.eu)}?tab=usage"
    shown = operator.get(f"{page}&month={month}").content.decode()
    assert f'name="month" value="{month}"' in shown
    assert f"usage.csv?by=service&amp;month={month}" in shown
    assert "No usage in this month" in operator.get(f"{page}&month=2024-02").content.decode()
    assert operator.get(f"{page}&month=2024-13").status_code == 200
    address = page_of(world.eu).removesuffix("/change/")
    assert operator.get(f"{address}/usage.csv?month={month}").content.decode().count("webapp-frontend") == 1
    assert operator.get(f"{address}/usage.csv?month=2024-02").content.decode().count("webapp-frontend") == 0
    answer: Any = operator.get(f"{address}/focus.csv?month={month}")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="acme-eu-{month}.csv"'
    (line,) = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode()))
    assert list(line) == list(COLUMNS)
    assert (line["ConsumedQuantity"], line["SubAccountName"]) == ("2.5", "Web shop")
    paid: Any = operator.get(f"{address}/focus.csv?month={month}&scope=paid")
    assert paid.headers["Content-Disposition"].endswith('-paid.csv"')


@pytest.mark.once
@pytest.mark.parametrize("query", ["", "month=x", "month=9999-12", "month=2026-01&scope=subtree"])
def test_there_is_no_bill_of_anything_else(query: str, world: World, operator: Client) -> None:
    assert operator.get(f"{page_of(world.eu).removesuffix('/change/')}/focus.csv?{query}").status_code == 404


def test_usage_that_another_account_is_invoiced_for_is_a_showback(world: World, operator: Client) -> None:
    child = make.a_ready_account(world.organization, "acme-child")
    an_affiliation(child, world.us, payer="Parent")
    month = f"{timezone.now().astimezone(UTC):%Y-%m}"
    answer = operator.get(f"{page_of(child).removesuffix('/change/')}/focus.csv?month={month}")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="acme-child-{month}-showback.csv"'


def test_a_row_of_the_queue_leads_to_the_request_that_assigns_it(
    world: World, operator: Client, auditor: Client
) -> None:
    past = world.project.created_at - timedelta(days=40)
    taken(an_event(world.project, "4", time=past))
    report = "/admin/projects/project/unassigned-usage/"
    (panel,) = operator.get(report).context["panels"]
    (row,) = panel.rows
    assert row[-2] == "1\xa0month"
    address = unescape(re.findall(r'href="([^"]*)"', row[-1])[0])
    assert address.startswith(page_of(world.project, "assign-usage"))
    assert auditor.get(report).context["panels"][0].rows[0][-1] == "-"
    day = past.astimezone(UTC).date()
    assert filled_in(operator.get(address))["until"] == f"{day + timedelta(days=1)}T00:00:00Z"
    submit(operator, address, account=world.eu.pk, justification="agreed with the customer")
    request = ApprovalRequest.objects.get()
    assert (request.act, request.account, request.proposal["project"]) == ("AssignUsage", world.eu, "webapp-frontend")
    assert request.reviewed["usage"][0]["quantity"] == "4"
    # there is nothing to ask for while that one is pending
    assert f'href="{page_of(request)}"' in operator.get(report).context["panels"][0].rows[0][-1]
    head, line = operator.get(f"{report}?csv=1").content.decode().splitlines()
    assert line == f"webapp-frontend,compute,cpu-time,s,4,1,{day},{day}"
    assert operator.get(f"{report}?csv=1&organization=other").content.decode().splitlines() == [head]
