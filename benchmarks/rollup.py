"""What an account used in a month, by service, read over HTTP: with many events, and with ten times as many."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F

from benchmarks.data import ORGANIZATION, PLATFORM
from benchmarks.report import Report
from benchmarks.servers import Failed
from benchmarks.stage import Stage
from billing.models import BillingAccount, BillingAccountBinding, UsageIntake, UsageMeter, UsageRollup
from billing.models.usage_partitions import name, next_month
from billing.services.usage import recounts, sums
from projects.models import Organization, Project

PROJECTS, METERS, SERVICES = 100, 20, 5
TIMES = 10
"""How many events the second number has for each of the first."""
READS = 1_000
# in the order of the index, so that it is written once
MADE = """
INSERT INTO billing_usageevent
    (project_id, time, key, meter_id, intake_id, quantity, source, event_id, type, dimensions)
SELECT project, month + (until - month) * n / each, (copy || lpad(to_hex(project * 10000000 + n), 31, '0'))::uuid,
    (%s::bigint[])[1 + n %% %s], %s, 1.5, '//made.example', n::text, 'io.milo.usage', '{}'
FROM unnest(%s::bigint[]) AS project, CAST(%s AS timestamptz) AS month, CAST(%s AS timestamptz) AS until,
    CAST(%s AS int) AS each, generate_series(0, %s - 1) AS n, generate_series(%s::int, %s) AS copy
"""


def run(stage: Stage) -> Report:
    """At the first number the sums are the recount of all events; each of these is then made 9 times again.

    So the sums are 10 times as much, which the recount of one project confirms.
    """
    few = 5_000_000 if stage.seconds >= 1 else 2_000
    projects, meters, intake_id, payer = _paid_for()
    until = datetime.now(UTC)
    month = until.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    each = few // PROJECTS
    facts: dict[str, object] = {}

    def make(copies: range) -> None:
        given: list[Any] = [meters, METERS, intake_id, projects, month, until, each, each, copies[0], copies[-1]]
        with _timed(facts, f"{few * len(copies)} events made, s"), connection.cursor() as cursor:
            cursor.execute(MADE, given)

    with connection.cursor() as cursor:
        # the log of so many rows would fill the disk, and neither it nor looking after them is what is measured
        cursor.execute(f"ALTER TABLE {name(month.date())} SET UNLOGGED, SET (autovacuum_enabled = off)")
        cursor.execute("TRUNCATE billing_usagerollup")
    make(range(1))
    with _timed(facts, f"{few} events recounted, s"):
        sums.add_counted(sums.recorded("TRUE"))
    facts |= _read(stage, payer, month.date(), few)
    make(range(1, TIMES))
    UsageRollup.objects.update(quantity=F("quantity") * TIMES, events=F("events") * TIMES)
    if lacks := recounts.verify(recounts.Chunk(Project.objects.get(pk=projects[0]), month.date())):
        raise Failed(f"the sums are not the recount of the events: {lacks}")
    facts |= _read(stage, payer, month.date(), few * TIMES)
    return Report("Read what an account used in a month, by service", facts=facts)


def _paid_for() -> tuple[list[int], list[int], int, BillingAccount]:
    """Projects that one account has paid for since before this month, meters of five services, and an intake."""
    organization = Organization.objects.get(name=ORGANIZATION)
    payer = BillingAccount.objects.get(organization=organization, name="account-998")
    since = datetime.now(UTC) - timedelta(days=60)
    projects = Project.objects.bulk_create(
        Project(name=f"metered-{number}", organization=organization) for number in range(PROJECTS)
    )
    BillingAccountBinding.objects.bulk_create(
        BillingAccountBinding(
            name=f"metered-{project.pk}",
            project=project,
            account=payer,
            organization=organization,
            established_at=since,
        )
        for project in projects
    )
    meters = UsageMeter.objects.bulk_create(
        UsageMeter(service=f"service-{number % SERVICES}", name=f"made-{number}", unit="s") for number in range(METERS)
    )
    intake = UsageIntake.objects.create(reporter=PLATFORM.name, received_at=datetime.now(UTC))
    return [row.pk for row in projects], [row.pk for row in meters], intake.pk, payer


@contextmanager
def _timed(facts: dict[str, object], title: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    facts[title] = round(time.perf_counter() - begun, 1)


def _read(stage: Stage, payer: BillingAccount, month: date, events: int) -> dict[str, object]:
    """Percentiles as the client sees them, and of the server alone, from the first middleware to the last."""
    path = f"/apis/billing.milo.io/v1alpha1/namespaces/{ORGANIZATION}/billingaccounts/{payer.name}/usage"
    query = f"?from={month}&to={next_month(month)}&granularity=total&groupBy=service"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE billing_usagerollup")
        # what was made is written to the disk before, not meanwhile
        cursor.execute("CHECKPOINT")
    seen, served = [], []
    with stage.milo.client() as client:
        # a round that does not count, as in every contest: statements are written and planned at their first uses
        for _number in range(READS // 10):
            client.get(path + query)
        used = stage.milo.cpu_seconds()
        for _number in range(READS):
            begun = time.perf_counter()
            served.append(client.milliseconds_of(path + query))
            seen.append((time.perf_counter() - begun) * 1000)
    facts: dict[str, object] = {
        f"{events} events, server CPU ms": round((stage.milo.cpu_seconds() - used) / READS * 1000, 2)
    }
    for title, found in (("", seen), ("of the server alone, ", served)):
        percentiles = statistics.quantiles(found, n=100)
        facts[f"{events} events, {title}p50 ms"] = round(percentiles[49], 2)
        facts[f"{events} events, {title}p99 ms"] = round(percentiles[98], 2)
    return facts
