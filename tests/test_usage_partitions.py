"""Months of usage events: partitions are made ahead, and what has none of its own is kept all the same."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from billing.models import UsageEvent, usage_partitions
from billing.tasks import make_usage_partitions
from tests import make
from tests.usage import an_event, assert_rollup_is_a_recount, taken

pytestmark = pytest.mark.django_db


def partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableoid::regclass::text FROM billing_usageevent")
        return {row[0] for row in cursor.fetchall()}


def test_events_of_any_time_are_kept_each_in_its_month(monkeypatch: pytest.MonkeyPatch) -> None:
    project = make.a_project(make.an_organization())
    taken(an_event(project), an_event(project, time=datetime(1999, 1, 1, tzinfo=UTC)))
    assert UsageEvent.objects.count() == 2
    if connection.vendor == "postgresql":
        month = usage_partitions.name(datetime.now(UTC).date())
        assert partitions() == {month, "billing_usageevent_default"}
    assert_rollup_is_a_recount()


def test_the_task_makes_what_is_missing_and_leaves_what_went_to_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"postgresql": 2, "sqlite": 0}[connection.vendor]
    assert make_usage_partitions() == 0
    taken(an_event(make.a_project(make.an_organization()), time=datetime(2025, 2, 3, tzinfo=UTC)))
    months = [datetime(2025, number, 1, tzinfo=UTC).date() for number in (1, 2, 3)]
    monkeypatch.setattr(usage_partitions, "months_ahead", lambda today: months)
    assert make_usage_partitions() == wanted
    assert make_usage_partitions() == 0
    assert UsageEvent.objects.count() == 1
