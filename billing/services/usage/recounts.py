"""Compare the rollup with a recount of the events, and repair it where they differ.

The unit of work is a month of a project, so that progress is visible and an interrupted run can be resumed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Min, Q

from billing.models import BillingAccount, UsageEvent, UsageRollup
from billing.models.usage_partitions import next_month
from billing.services.usage import locks, sums
from billing.services.usage.sums import Amount, SumKey
from milo import audit
from milo.races import refused_by
from projects.models import Project
from projects.models.project import ProjectQuerySet


@dataclass(frozen=True, slots=True)
class Chunk:
    """A month (its first day, in UTC) of a project."""

    project: Project
    month: date


def projects_of(account: BillingAccount | None) -> ProjectQuerySet:
    """Return the projects that `account` pays or paid for, or all projects if it is None, in the order of the work."""
    projects = Project.objects.order_by("name")
    if account is None:
        return projects
    paid = Q(bindings__account=account) | Q(usage_assignments__account=account) | Q(usage__account=account)
    return projects.filter(paid).distinct()


def chunks(project: Project, start: date | None = None, end: date | None = None) -> Iterator[Chunk]:
    """Yield the months of a project with events or sums, from the month of `start` to that of `end`, if given.

    Empty months are skipped by a query, not one by one: events of an earlier version may lie millennia apart.
    """
    month = _used_from(project, start.replace(day=1) if start else date.min)
    while month and (end is None or month <= end):
        yield Chunk(project, month)
        month = _used_from(project, next_month(month))


def _used_from(project: Project, day: date) -> date | None:
    """Return the first day of the first month from `day` on with events or sums of the project, None if none has."""
    since = datetime(day.year, day.month, day.day, tzinfo=UTC)
    event = UsageEvent.objects.filter(project=project, time__gte=since).aggregate(at=Min("time"))["at"]
    total = UsageRollup.objects.filter(project=project, starts_on__gte=day).aggregate(on=Min("starts_on"))["on"]
    days = [event.astimezone(UTC).date()] if event else []
    return min([*days, *([total] if total else [])]).replace(day=1) if event or total else None


CLOSED_FIGURE = "usage_closed_figure_"
"""How the guards are called that keep the figures of closed months (billing/guards/usage_rollup.py)."""


def verify(chunk: Chunk) -> dict[SumKey, Amount]:
    """Return what the rollup lacks for the events of a chunk, negative for a surplus; empty if it is right.

    Reads one snapshot, while intakes go on.
    """
    with one_moment():
        return _missing(chunk)


def rebuild(chunk: Chunk) -> tuple[dict[SumKey, Amount], bool]:
    """Make the rollup of a chunk equal to the recount of its events; return what had to be added, and whether it was.

    It is not if that would change the figures of a closed month, which a guard of the database refuses; then nothing of
    the chunk is changed.
    """
    missing: dict[SumKey, Amount] = {}
    try:
        with audit.transaction():
            locks.lock_exclusive(chunk.project.pk)
            missing = _missing(chunk)
            sums.add(missing)
    except IntegrityError as error:
        if not refused_by(error).startswith(CLOSED_FIGURE):
            raise
        return missing, False
    return missing, True


def bounds(chunk: Chunk) -> tuple[str, list[Any]]:
    """Return the SQL condition on the table alias `v`, and its parameters, for the events of a chunk."""
    start, end = (
        connection.ops.adapt_datetimefield_value(datetime(day.year, day.month, 1, tzinfo=UTC))
        for day in (chunk.month, next_month(chunk.month))
    )
    return "v.project_id = %s AND v.time >= %s AND v.time < %s", [chunk.project.pk, start, end]


def _missing(chunk: Chunk) -> dict[SumKey, Amount]:
    end = next_month(chunk.month)
    rows = UsageRollup.objects.filter(project=chunk.project, starts_on__gte=chunk.month, starts_on__lt=end)
    recorded = {
        SumKey(row.account_id, row.project_id, row.meter_id, row.granularity, row.starts_on, row.billed_in): Amount(
            row.quantity, row.events, row.withdrawn
        )
        for row in rows
    }
    return sums.difference(sums.counted(*bounds(chunk)), recorded)


@contextmanager
def one_moment() -> Iterator[None]:
    """Read one snapshot inside, while intakes go on: PostgreSQL's REPEATABLE READ, SQLite's transaction."""
    with transaction.atomic():
        # in a nested transaction, as in tests, the isolation level can no longer be set
        if connection.vendor == "postgresql" and len(connection.savepoint_ids) == 0:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
