"""Who paid for a project when, on its page: a bar with its table, and a day's answer in a sentence."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.admin.project_payers import DRAWN, sentence
from billing.models import BillingAccount
from projects.models import Organization, Project
from tests.admin.browser import page_of
from tests.support import make
from tests.support.affiliations import an_affiliation
from tests.support.payer_changes import a_payer_change

pytestmark = pytest.mark.django_db
TEN = datetime(2026, 3, 5, 10, tzinfo=UTC)


def bound(project: Project, account: BillingAccount, at: datetime) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timezone, "now", lambda: at)
        make.a_binding(project, account)


@pytest.fixture
def company() -> Organization:
    return make.an_organization("acme-corp")


@pytest.fixture
def webapp(company: Organization) -> Project:
    """Nobody paid at first, `acme-us` from March 5th at 10:00 on, `acme-eu` from 12:30:15, `acme-us` from the 7th."""
    with make.created_at(TEN - timedelta(days=1)):
        project = make.a_project(company, "webapp")
        us, eu = (make.a_ready_account(company, name) for name in ("acme-us", "acme-eu"))
    bound(project, us, TEN)
    bound(project, eu, TEN + timedelta(hours=2, minutes=30, seconds=15))
    bound(project, us, TEN.replace(day=7, hour=0))
    return project


def panel(client: Client, project: Project, **query: Any) -> Any:
    panels = client.get(page_of(project), query).context["panels"]
    return next(panel for panel in panels if panel.title == "Who paid when")


def test_the_bar_and_its_table_say_the_same(webapp: Project, auditor: Client) -> None:
    shown = panel(auditor, webapp)
    assert [row[0] for row in shown.rows] == [int(part.name) for part in shown.bar] == [1, 2, 3, 4]
    assert [row[3] for row in shown.rows][-1] == "now"
    assert shown.rows[0][1] == "nobody"
    for row, part, name in zip(shown.rows[1:], shown.bar[1:], ("acme-us", "acme-eu", "acme-us"), strict=True):
        assert name in row[1]
        assert part.words.startswith(f"{name}, {row[2]}")
    # an account keeps its color, and nobody has another
    assert shown.bar[1].color == shown.bar[3].color != shown.bar[2].color
    assert shown.bar[0].color not in {part.color for part in shown.bar[1:]}
    assert shown.bar[1].size == 2.5 * 3600 + 15
    page = auditor.get(page_of(webapp)).content.decode()
    assert page.count("flex-grow: ") == 4
    assert 'aria-label="Who paid when: drawn; the table below says the same"' in page
    assert f"flex-grow: {shown.bar[2].size};" in page


@pytest.mark.parametrize(
    ("day", "answer"),
    [
        ("2026-03-01", "On 2026-03-01 (UTC), the payer of webapp was nobody, all day."),
        (
            "2026-03-05",
            "On 2026-03-05 (UTC), the payer of webapp was nobody until 10:00:00; acme-us from 10:00:00 until 12:30:15;"
            " acme-eu from 12:30:15 on.",
        ),
        ("2026-03-06", "On 2026-03-06 (UTC), the payer of webapp was acme-eu, all day."),
        ("2026-03-07", "On 2026-03-07 (UTC), the payer of webapp was acme-us, all day."),
        ("9998-01-01", "As things are, the payer of webapp on 9998-01-01 (UTC) is acme-us, all day."),
        ("9999-12-31", "The calendar ends on that day."),
    ],
)
def test_a_day_is_answered_by_a_sentence(day: str, answer: str, webapp: Project, auditor: Client) -> None:
    shown = panel(auditor, webapp, paidOnDay=day)
    assert shown.sentence == answer
    page = auditor.get(page_of(webapp), {"paidOnDay": day}).content.decode()
    assert answer in page
    assert f'value="{day}"' in page


def test_the_sentence_names_the_plan_by_which_another_is_to_pay(webapp: Project, auditor: Client) -> None:
    at = datetime.combine(timezone.now().date() + timedelta(days=60), time(12), UTC)
    a_payer_change(BillingAccount.objects.get(name="acme-eu"), webapp, name="to-eu", effective_at=at)
    before, then, after = (
        panel(auditor, webapp, paidOnDay=f"{at + timedelta(days=days):%Y-%m-%d}").sentence for days in (-1, 0, 1)
    )
    planned = f" Payer change to-eu is to make acme-eu the payer from {at:%Y-%m-%d} 12:00:00 UTC on."
    assert before.endswith(" is acme-us, all day.")
    assert then.endswith(f" is acme-us, all day.{planned}")
    assert after.endswith(f" is acme-us, all day.{planned}")


@pytest.mark.parametrize("day", ["", "x", "2026-13-01", "2026-W01-1", "<b>"])
def test_what_is_no_day_asks_nothing(day: str, webapp: Project, auditor: Client) -> None:
    assert panel(auditor, webapp, paidOnDay=day).sentence == ""


def test_the_sentence_says_who_is_invoiced_for_the_account(company: Organization) -> None:
    group, child = (make.a_ready_account(company, name) for name in ("acme-group", "acme-child"))
    an_affiliation(child, group)
    project = make.a_project(company, "shop")
    make.a_binding(project, child)
    today = timezone.now().date()
    assert sentence(project, today).endswith(" acme-group is invoiced for acme-child.")


def test_the_panel_takes_as_many_queries_for_many_payers_as_for_few(
    webapp: Project, company: Organization, auditor: Client
) -> None:
    panel(auditor, webapp)
    counts = []
    for more in (1, 40):
        for _each in range(more):
            make.a_binding(webapp, make.a_ready_account(company))
        with CaptureQueriesContext(connection) as queries:
            shown = panel(auditor, webapp, paidOnDay="2026-03-06")
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert len(shown.bar) == len(shown.rows) == DRAWN
