"""The FOCUS export: what a month's bill of an account holds; what comes once it is closed is a Correction elsewhere."""

import csv
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

from billing.services import usage_exports
from billing.services.usage_periods import close_month
from billing.usage.focus import COLUMNS
from projects.models import Organization
from tests import make
from tests.api.client import ACCOUNTS, Api
from tests.usage import a_correction, an_event, taken

BEGINNING = datetime(2026, 5, 20, 12, tzinfo=UTC)


def export(api: Api, period: str) -> list[dict[str, str]]:
    response = api.get(f"{ACCOUNTS}/us/usage/focus?period={period}").response
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"

    async def read() -> bytes:
        return b"".join([part async for part in response])

    # without a loop, so that the pages are read in the transaction that holds what the test made
    with mock.patch("billing.api.usage_focus.in_thread", at_once), pytest.raises(StopIteration) as done:
        read().send(None)
    text = done.value.value.decode()
    rows = list(csv.DictReader(text.splitlines()))
    assert tuple(text.splitlines()[0].split(",")) == COLUMNS
    return rows


async def at_once(function: Any, *arguments: Any) -> Any:
    return function(*arguments)


def told(rows: list[dict[str, str]]) -> list[tuple[str, ...]]:
    names = ("ChargePeriodStart", "ChargeClass", "ConsumedQuantity", "ConsumedUnit", "ServiceName", "SubAccountId")
    return [tuple(row[name] for name in names) for row in rows]


def test_a_closed_bill_stays_as_it_was_and_what_came_late_is_a_correction_of_the_next(
    acme: Organization, viewer: Api
) -> None:
    now = [BEGINNING]
    with mock.patch.object(timezone, "now", side_effect=lambda: now[0]):
        project, account = make.a_project(acme, "webapp"), make.a_ready_account(acme, "us")
        make.a_binding(project, account)
        taken(an_event(project, "2.50", time=BEGINNING))
        now[0] += timedelta(days=14)
        close_month(account.pk, BEGINNING.date(), reason="invoiced", actor=make.PLATFORM)
        reported = export(viewer, "2026-05")
        assert told(reported) == [("2026-05-20T00:00:00Z", "", "2.5", "s", "compute", "webapp")]
        assert reported[0]["BillingPeriodStart"] == "2026-05-01T00:00:00Z"
        assert reported[0]["BillingPeriodEnd"] == "2026-06-01T00:00:00Z"
        assert (reported[0]["BillingAccountId"], reported[0]["BillingCurrency"]) == ("acme-corp/us", "USD")
        assert {reported[0][name] for name in COLUMNS if name.endswith("Cost")} == {""}
        taken(an_event(project, "4", time=BEGINNING), an_event(project, "1", time=now[0]))
        assert export(viewer, "2026-05") == reported
        assert sorted(told(export(viewer, "2026-06"))) == [
            ("2026-05-20T00:00:00Z", "Correction", "4", "s", "compute", "webapp"),
            ("2026-06-03T00:00:00Z", "", "1", "s", "compute", "webapp"),
        ]


def test_an_export_of_many_pages_holds_every_row_once(
    acme: Organization, viewer: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_exports, "PAGE", 3)
    project, account = make.a_project(acme, "webapp"), make.a_ready_account(acme, "us")
    make.a_binding(project, account)
    taken(*(an_event(project, data={"meter": f"meter-{n}"}) for n in range(10)))
    rows = export(viewer, f"{timezone.now():%Y-%m}")
    assert sorted(row["ChargeDescription"] for row in rows) == [f"meter-{n}" for n in range(10)]


def test_a_period_is_a_month(viewer: Api, acme: Organization) -> None:
    make.a_ready_account(acme, "us")
    for query in ("", "?period=2026", "?period=2026-13", "?period=2026-10-01"):
        answer = viewer.get(f"{ACCOUNTS}/us/usage/focus{query}")
        answer.refused(422, "Invalid")
        assert set(answer.causes()) == {"query.period"}


def test_what_a_spreadsheet_would_take_for_a_formula_is_a_text(acme: Organization, viewer: Api) -> None:
    project, account = make.a_project(acme, "webapp"), make.a_ready_account(acme, "us", display_name="=1+1")
    make.a_binding(project, account)
    taken(an_event(project, "2"), event := an_event(project, "3"))
    taken(a_correction(event, "-9.5"))
    (line,) = export(viewer, f"{timezone.now():%Y-%m}")
    assert (line["BillingAccountName"], line["ConsumedQuantity"]) == ("'=1+1", "-4.5")


@pytest.mark.parametrize("period", ["9999-12", "0001-01", "may"])
def test_a_month_that_is_none_is_refused(acme: Organization, viewer: Api, period: str) -> None:
    make.a_ready_account(acme, "us")
    viewer.get(f"{ACCOUNTS}/us/usage/focus?period={period}").refused(422, "Invalid")
