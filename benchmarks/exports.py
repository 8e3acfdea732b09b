"""The FOCUS export of a month of very many rows: how much memory the server has meanwhile, and how long it takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

from django.db import connection

from benchmarks.data import ORGANIZATION
from benchmarks.report import Report
from benchmarks.servers import Server
from benchmarks.stage import Stage
from billing.models import BillingAccount, UsageMeter
from projects.models import Organization, Project

DAYS, METERS = 28, 100
EVERY = 0.01
MADE = """
INSERT INTO billing_usagerollup
    (account_id, project_id, meter_id, granularity, starts_on, billed_in, quantity, events)
SELECT %s, project, meter, 'day', month + day, month, 1.25 * (day + 1), 3
FROM unnest(%s::bigint[]) AS project, unnest(%s::bigint[]) AS meter, generate_series(0, %s - 1) AS day,
    CAST(%s AS date) AS month
"""


def run(stage: Stage) -> Report:
    """Both forms, each after a small export, so that what is loaded once is not counted as growth."""
    projects = 358 if stage.seconds >= 1 else 2
    account, month = _used(projects)
    path = f"/apis/billing.milo.io/v1alpha1/namespaces/{ORGANIZATION}/billingaccounts/{account.name}/usage/focus"
    facts: dict[str, object] = {"rows": projects * METERS * DAYS}
    for form in ("csv", "parquet"):
        for _part in _streamed(stage.milo, f"{path}?period=2024-01&format={form}"):
            pass
        facts[f"{form}: server memory before, MiB"] = round(stage.milo.memory_mib(), 1)
        begun, size = time.perf_counter(), 0
        with _watched(stage.milo) as peak:
            for part in _streamed(stage.milo, f"{path}?period={month}&format={form}"):
                size += len(part)
        facts[f"{form}: server memory at most, MiB"] = round(max(peak), 1)
        facts[f"{form}: s"] = round(time.perf_counter() - begun, 1)
        facts[f"{form}: MiB sent"] = round(size / 2**20, 1)
    return Report("Export a month of usage of one account as a FOCUS file", facts=facts)


def _used(projects: int) -> tuple[BillingAccount, str]:
    """An account with sums of many projects and meters on each day of this month, and the month."""
    organization = Organization.objects.get(name=ORGANIZATION)
    account = BillingAccount.objects.get(organization=organization, name="account-997")
    used = Project.objects.bulk_create(
        Project(name=f"exported-{number}", organization=organization) for number in range(projects)
    )
    meters = UsageMeter.objects.bulk_create(
        UsageMeter(service=f"service-{number % 5}", name=f"exported-{number}", unit="GiBy.h")
        for number in range(METERS)
    )
    month = datetime.now(UTC).date().replace(day=1)
    with connection.cursor() as cursor:
        given: list[Any] = [account.pk, [row.pk for row in used], [row.pk for row in meters], DAYS, month]
        cursor.execute(MADE, given)
        cursor.execute("ANALYZE billing_usagerollup")
    return account, f"{month:%Y-%m}"


def _streamed(server: Server, path: str) -> Iterator[bytes]:
    with server.client() as client:
        yield from client.stream(path)


@contextmanager
def _watched(server: Server) -> Iterator[list[float]]:
    """The resident memory of the server, looked at all the while."""
    found, done = [server.memory_mib()], Event()

    def watch() -> None:
        while not done.wait(EVERY):
            found.append(server.memory_mib())

    thread = Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()
