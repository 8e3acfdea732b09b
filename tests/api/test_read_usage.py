"""GET of usage: an account's and a project's, by day, month or in total, as JSON and CSV."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.services.usage import reports
from projects.models import Organization, Project
from tests.api.client import ACCOUNTS, PROJECTS, Api
from tests.support import make
from tests.support.usage import an_event, taken


@pytest.fixture
def rebound_project(organization: Organization) -> Project:
    """A project whose first payer was `us`, for 2 s, and whose payer now is `eu`, for 3 s and 5 requests."""
    project = make.a_project(organization, "webapp")
    for name, quantity in (("us", "2"), ("eu", "3")):
        make.a_binding(project, make.a_ready_account(organization, name))
        taken(an_event(project, quantity))
    taken(an_event(project, "5", data={"service": "web", "meter": "requests", "unit": "{request}"}))
    return project


def items(api: Api, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(path).done()["items"]
    return found


def test_an_account_shows_what_it_paid_for_and_no_sum_mixes_units(viewer: Api, rebound_project: Project) -> None:
    shown = {(item["unit"], item["quantity"], item["events"]) for item in items(viewer, f"{ACCOUNTS}/eu/usage")}
    assert shown == {("s", "3", 1), ("{request}", "5", 1)}
    (line,) = items(viewer, f"{ACCOUNTS}/us/usage?groupBy=project,meter,service")
    today = timezone.now().astimezone(UTC).date()
    bounds = {"start": str(today.replace(day=1)), "end": str(today + timedelta(days=1))}
    of = {"project": "webapp", "service": "compute", "meter": "cpu-time"}
    assert line == {**bounds, **of, "unit": "s", "quantity": "2", "events": 1}


def test_a_project_shows_what_it_used_whoever_pays_and_told_apart_on_request(
    viewer: Api, rebound_project: Project
) -> None:
    taken(an_event(rebound_project, "7", time=rebound_project.created_at - timedelta(days=40)))
    span = "from=2020-01-01&to=2030-01-01"
    lines = items(viewer, f"{PROJECTS}/webapp/usage?{span}")
    assert [(line["unit"], line["quantity"]) for line in lines] == [("s", "12"), ("{request}", "5")]
    lines = items(viewer, f"{PROJECTS}/webapp/usage?{span}&groupBy=account,service")
    assert [(line.get("account"), line["quantity"]) for line in lines] == [
        (None, "7"),
        ("eu", "3"),
        ("eu", "5"),
        ("us", "2"),
    ]


@pytest.fixture
def year(organization: Organization) -> Project:
    """A project with one event at noon of the 1st, 15th and last day of each month of 2025, and of 2024-12-31."""
    project = make.a_project(organization, "yearly")
    months = [date(2025, month, 1) for month in range(1, 13)]
    days = [date(2024, 12, 31), *months, *(day.replace(day=15) for day in months)]
    days += [day - timedelta(days=1) for day in (*months[1:], date(2026, 1, 1))]
    taken(*(an_event(project, time=datetime(day.year, day.month, day.day, 12, tzinfo=UTC)) for day in days))
    return project


@pytest.mark.parametrize(
    ("query", "expected"),
    {
        "from=2025-01-01&to=2026-01-01": [("2025-01-01", "2026-01-01", "36")],
        "from=2024-12-31&to=2025-03-02": [("2024-12-31", "2025-03-02", "8")],
        "from=2025-01-02&to=2025-01-31": [("2025-01-02", "2025-01-31", "1")],
        "from=2025-01-15&to=2025-03-02&granularity=month": [
            ("2025-01-15", "2025-02-01", "2"),
            ("2025-02-01", "2025-03-01", "3"),
            ("2025-03-01", "2025-03-02", "1"),
        ],
        "from=2025-01-31&to=2025-02-15&granularity=day": [
            ("2025-01-31", "2025-02-01", "1"),
            ("2025-02-01", "2025-02-02", "1"),
        ],
    }.items(),
)
def test_spans_are_half_open_and_whole_months_and_days_add_up(
    operator: Api, year: Project, query: str, expected: list[tuple[str, str, str]]
) -> None:
    found = items(operator, f"{PROJECTS}/yearly/usage?{query}")
    assert [(item["start"], item["end"], item["quantity"]) for item in found] == expected


def test_days_of_another_time_zone_are_counted_from_the_events(operator: Api, organization: Organization) -> None:
    project = make.a_project(organization, "night")
    times = [datetime(2025, 3, 29, 22, 59, tzinfo=UTC), datetime(2025, 3, 29, 23, tzinfo=UTC)]
    # the clocks go forward on that Sunday, which has 23 hours
    times += [datetime(2025, 3, 30, 21, 59, tzinfo=UTC), datetime(2025, 3, 30, 22, tzinfo=UTC)]
    taken(*(an_event(project, time=time) for time in times))
    query = "from=2025-03-29&to=2025-03-31&granularity=day&timeZone=Europe/Berlin"
    found = items(operator, f"{PROJECTS}/night/usage?{query}")
    assert [(item["start"], item["quantity"]) for item in found] == [("2025-03-29", "1"), ("2025-03-30", "2")]
    total = items(operator, f"{PROJECTS}/night/usage?{query.replace('granularity=day', 'groupBy=service')}")
    assert [(item["service"], item["quantity"], item["events"]) for item in total] == [("compute", "3", 3)]


def test_an_account_is_counted_in_another_time_zone_by_what_it_pays_for_alone(
    viewer: Api, rebound_project: Project
) -> None:
    for account, quantities in {"us": ["2"], "eu": ["3", "5"]}.items():
        found = items(viewer, f"{ACCOUNTS}/{account}/usage?timeZone=Asia/Kathmandu&to=2030-01-01&from=2029-12-01")
        assert found == []
        since = (timezone.now() - timedelta(days=3)).date()
        query = f"timeZone=Asia/Kathmandu&from={since}&to={since + timedelta(days=7)}"
        found = items(viewer, f"{ACCOUNTS}/{account}/usage?{query}")
        assert [item["quantity"] for item in found] == quantities


def test_this_month_ends_with_the_day_of_the_time_zone(operator: Api, organization: Organization) -> None:
    project, now = make.a_project(organization, "early"), timezone.now()
    taken(an_event(project, time=now))
    # one of the two is a day ahead of UTC or behind it
    for zone in ("Pacific/Kiritimati", "Etc/GMT%2B12"):
        assert len(items(operator, f"{PROJECTS}/early/usage?timeZone={zone}")) == 1


def test_csv_is_given_to_who_asks_for_it(viewer: Api, rebound_project: Project) -> None:
    answer = viewer.get(f"{ACCOUNTS}/us/usage?groupBy=service&from=2020-01-01&to=2030-01-01", Accept="text/csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.raw.decode().splitlines() == [
        "start,end,service,unit,quantity,events",
        "2020-01-01,2030-01-01,compute,s,2,1",
    ]
    kubectl = viewer.get(f"{ACCOUNTS}/us/usage", Accept="application/json, */*")
    assert kubectl.done()["kind"] == "Usage"


@pytest.mark.parametrize(
    ("query", "field"),
    {
        "from=2025-01-02&to=2025-01-02": "query.to",
        "from=yesterday": "query.from",
        "granularity=week": "query.granularity",
        "groupBy=service,colour": "query.groupBy",
        "timeZone=Mars/Olympus": "query.timeZone",
        "timeZone=../../etc/passwd": "query.timeZone",
        "from=2020-01-01&to=2025-01-01&granularity=day": "query.to",
        "from=2025-01-01&to=2025-06-01&timeZone=Europe/Berlin": "query.to",
        "from=9999-12-15&to=9999-12-31&granularity=month": "query.to",
        "from=0001-01-01&to=0001-01-02&timeZone=Asia/Kathmandu": "query.from",
    }.items(),
)
def test_a_question_that_makes_no_sense_is_refused(
    viewer: Api, rebound_project: Project, query: str, field: str
) -> None:
    answer = viewer.get(f"{PROJECTS}/webapp/usage?{query}")
    answer.refused(422, "Invalid")
    assert set(answer.causes()) == {field}


def test_an_answer_of_too_many_sums_is_refused(
    viewer: Api, rebound_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MAX_LINES", 1)
    assert viewer.get(f"{ACCOUNTS}/us/usage").code == 200
    for query in ("", "?timeZone=Asia/Kathmandu"):
        answer = viewer.get(f"{ACCOUNTS}/eu/usage{query}")
        answer.refused(422, "Invalid")
        assert set(answer.causes()) == {"query.groupBy"}


def test_closing_a_month_takes_a_finance_operator_and_shows_on_the_account(
    admin: Api, operator: Api, rebound_project: Project
) -> None:
    body = {"spec": {"month": "2025-12", "reason": "invoiced"}}
    admin.post(f"{ACCOUNTS}/eu/closeusage", body).refused(403, "Forbidden")
    assert operator.post(f"{ACCOUNTS}/eu/closeusage", body).done()["kind"] == "BillingAccount"
    for month in ("2025-13", "9999-12", "2025-12"):
        answer = operator.post(f"{ACCOUNTS}/eu/closeusage", {"spec": {"month": month, "reason": "x"}})
        answer.refused(422, "Invalid")
        assert set(answer.causes()) == {"spec.month"}
