"""Usage on the pages: charts by day, the handover marked, CSV, the queue, and the request that empties it."""

import json
import re
from datetime import UTC, timedelta
from html import unescape
from typing import Any

from django.test import Client
from django.utils import timezone

from billing.models import ApprovalRequest
from tests.admin.browser import page_of, submit, text_of
from tests.admin.conftest import World
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
