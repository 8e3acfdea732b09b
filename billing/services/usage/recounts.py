"""The rollup against the events: proof that it is their recount, and repair where it is not.

The unit of work is a month of a project, so that progress is seen and a run can go on where another was stopped.
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
    """The projects that an account pays or paid for, or all; in the order in which they are worked on."""
    projects = Project.objects.order_by("name")
    if account is None:
        return projects
    paid = Q(bindings__account=account) | Q(usage_assignments__account=account) | Q(usage__account=account)
    return projects.filter(paid).distinct()


def chunks(project: Project, start: date | None = None, end: date | None = None) -> Iterator[Chunk]:
    """The months of a project that have events or sums, from that of the day `start` to that of `end`, if given.

    Months without either are leapt over: events of an earlier version may lie millennia apart.
    """
    month = _used_from(project, start.replace(day=1) if start else date.min)
    while month and (end is None or month <= end):
        yield Chunk(project, month)
        month = _used_from(project, next_month(month))


def _used_from(project: Project, day: date) -> date | None:
    """The first month from `day` on in which the project has events or sums."""
    since = datetime(day.year, day.month, day.day, tzinfo=UTC)
    event = UsageEvent.objects.filter(project=project, time__gte=since).aggregate(at=Min("time"))["at"]
    total = UsageRollup.objects.filter(project=project, starts_on__gte=day).aggregate(on=Min("starts_on"))["on"]
    days = [event.astimezone(UTC).date()] if event else []
    return min([*days, *([total] if total else [])]).replace(day=1) if event or total else None


CLOSED_FIGURE = "usage_closed_figure_"
"""How the guards are called that keep the figures of closed months (billing/guards/usage_rollup.py)."""


def verify(chunk: Chunk) -> dict[SumKey, Amount]:
    """What the rollup lacks for the events of a chunk, negative where it has too much; nothing where it is right.

    Reads one moment, while intakes go on.
    """
    with one_moment():
        return _missing(chunk)


def rebuild(chunk: Chunk) -> tuple[dict[SumKey, Amount], bool]:
    """Make the rollup of a chunk the recount of its events; returns what had to be added, and whether it could be.

    It cannot where that would change the figures of a closed month; then nothing of the chunk is changed.
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
    """The condition on `v`, with its parameters, for the events of a chunk."""
    start, end = (
        connection.ops.adapt_datetimefield_value(datetime(day.year, day.month, 1, tzinfo=UTC))
        for day in (chunk.month, next_month(chunk.month))
    )
    return "v.project_id = %s AND v.time >= %s AND v.time < %s", [chunk.project.pk, start, end]


def _missing(chunk: Chunk) -> dict[SumKey, Amount]:
    end = next_month(chunk.month)
    rows = UsageRollup.objects.filter(project=chunk.project, starts_on__gte=chunk.month, starts_on__lt=end)
    kept = {
        SumKey(row.account_id, row.project_id, row.meter_id, row.granularity, row.starts_on, row.billed_in): Amount(
            row.quantity, row.events
        )
        for row in rows
    }
    return sums.difference(sums.counted(*bounds(chunk)), kept)


@contextmanager
def one_moment() -> Iterator[None]:
    """Read inside what one moment has, while intakes go on (PostgreSQL's repeatable read)."""
    with transaction.atomic():
        # within a test's transaction there is no other moment to see
        if connection.vendor == "postgresql" and len(connection.savepoint_ids) == 0:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
