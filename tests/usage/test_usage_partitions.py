"""Months of usage events: partitions are made ahead, and what has none of its own is kept all the same."""

from datetime import UTC, date, datetime

import pytest
from django.db import DataError, connection

from billing.models import UsageEvent, usage_partitions
from billing.tasks import make_usage_partitions
from tests.support import make
from tests.support.database import as_owner
from tests.support.usage import an_event, assert_rollup_is_a_recount, taken

pytestmark = pytest.mark.django_db


def partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableoid::regclass::text FROM billing_usageevent")
        return {row[0] for row in cursor.fetchall()}


def test_events_of_any_time_are_kept_each_in_its_month() -> None:
    project = make.a_project(make.an_organization())
    taken(an_event(project), an_event(project, time=datetime(1999, 1, 1, tzinfo=UTC)))
    assert UsageEvent.objects.count() == 2
    if connection.vendor == "postgresql":
        month = usage_partitions.name(datetime.now(UTC).date())
        assert partitions() == {month, "billing_usageevent_default"}
    assert_rollup_is_a_recount()


def drop_partitions(*months: date) -> None:
    with as_owner(), connection.cursor() as cursor:
        for month in months:
            cursor.execute(f"DROP TABLE {usage_partitions.name(month)}")


def test_the_task_makes_what_is_missing_and_leaves_what_went_to_the_default() -> None:
    assert make_usage_partitions() == 0
    project, months = make.a_project(make.an_organization()), usage_partitions.months_ahead(datetime.now(UTC).date())
    if connection.vendor == "postgresql":
        drop_partitions(months[0], months[-1])
    taken(an_event(project))
    assert make_usage_partitions() == (1 if connection.vendor == "postgresql" else 0)
    assert make_usage_partitions() == 0
    assert UsageEvent.objects.count() == 1


@pytest.mark.parametrize("months", [-1, usage_partitions.MONTHS_AHEAD + 1, 200])
def test_the_application_has_no_partitions_made_but_of_the_coming_months(months: int) -> None:
    if connection.vendor == "sqlite":  # has one table
        assert usage_partitions.missing(connection) == []
        return
    with connection.cursor() as cursor, pytest.raises(DataError, match="this month and the next three"):
        cursor.execute(
            "SELECT make_usage_partition((date_trunc('month', now()) + make_interval(months => %s))::date)", [months]
        )


def test_events_are_written_through_the_table_that_the_partitions_are_of() -> None:
    if connection.vendor == "sqlite":
        assert usage_partitions.missing(connection) == []
        return
    # one of them made by the application
    drop_partitions(usage_partitions.months_ahead(datetime.now(UTC).date())[-1])
    assert make_usage_partitions() == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text, privilege FROM pg_inherits CROSS JOIN"
            " unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) privilege"
            " WHERE inhparent = 'billing_usageevent'::regclass AND has_table_privilege(inhrelid, privilege)"
        )
        assert cursor.fetchall() == []
