"""Usage: batches of 1,000 events over HTTP beside COPY and INSERT ON CONFLICT alone, and sums of very many events."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import orjson
from django.contrib.auth.models import Group, User
from django.db import connection

from benchmarks.contest import Contestant, Request, hold
from benchmarks.data import ORGANIZATION, PLATFORM
from benchmarks.report import Report
from benchmarks.servers import Client
from benchmarks.stage import Stage
from billing.models import BillingAccount, BillingAccountBinding, UsageIntake, UsageMeter
from billing.models.usage_partitions import next_month
from billing.services import usage_sums
from billing.services.usage_reports import TOTAL, UsageQuery, of_account
from milo.identity.tokens import issue_token
from projects.access import USAGE_REPORTER
from projects.models import Organization, Project

EVENTS = "/apis/usage.milo.io/v1alpha1/events"
BATCH, PROJECTS, METERS = 1_000, 50, 5
MARK = b"@@@@"
READS = 300
MEMORY_BATCHES = 200
FLOOR = (
    "CREATE TABLE usage_floor (key text PRIMARY KEY, time timestamptz, project bigint, meter bigint, quantity numeric,"
    " dimensions jsonb)"
)
STAGED = "CREATE TEMPORARY TABLE staged (LIKE usage_floor) ON COMMIT DELETE ROWS"
MADE = """
INSERT INTO billing_usageevent
    (project_id, time, key, meter_id, intake_id, quantity, source, event_id, type, dimensions)
SELECT %s[1 + n %% %s], date_trunc('month', now()) + (now() - date_trunc('month', now())) * random(), gen_random_uuid(),
    %s[1 + n / 100 %% %s], %s, 1.5, '//made.example', n::text, 'io.milo.usage', '{}'
FROM generate_series(1, %s) AS n
"""


def _token() -> str:
    reporter = User.objects.create_user("meter")
    reporter.groups.add(Group.objects.get_or_create(name=USAGE_REPORTER)[0])
    return issue_token(reporter, actor=PLATFORM)[1]


def _event(number: int) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": f"{MARK.decode()}-{number}",
        "source": "//compute.example/eu-1",
        "type": "io.milo.usage",
        "time": datetime.now(UTC).isoformat(),
        "subject": f"projects/project-{number % PROJECTS}",
        "data": {
            "service": "compute",
            "meter": f"meter-{number % METERS}",
            "quantity": f"{number}.25",
            "unit": "s",
            "dimensions": {"region": "eu-1", "zone": "a"},
        },
    }


def intake(stage: Stage) -> Report:
    """Events per second are 1,000 times the requests per second."""
    numbers, token = count(), _token()
    template = orjson.dumps([_event(number) for number in range(BATCH)])

    def body() -> bytes:
        return template.replace(MARK, str(next(numbers)).encode())

    @contextmanager
    def over_http(worker: int) -> Iterator[Request]:
        with stage.milo.client(token) as client:
            yield lambda: client.post(EVENTS, body())

    with stage.database() as database:
        database.execute(FLOOR)
    with stage.milo.client(token) as client:
        queries = client.queries_of(EVENTS, body())
        growth = _memory(stage, client, body)
    contestants = [
        Contestant("milo", over_http, stage.milo.cpu_seconds, queries),
        Contestant("COPY and INSERT alone", lambda worker: _floor(stage, numbers), queries=3),
    ]
    figures = hold(contestants, stage.rounds, stage.seconds)
    rates = [round(statistics.median(found.rates) * BATCH) for found in figures]
    facts = {"events/s": rates[0], "events/s of the floor": rates[1], "server memory grown, MiB": growth}
    return Report("Take batches of 1,000 usage events", figures, facts)


def _memory(stage: Stage, client: Client, body: Callable[[], bytes]) -> float:
    """How much more memory the server has after many more batches."""
    batches = MEMORY_BATCHES if stage.seconds >= 1 else 5
    for _ in range(batches // 4):
        client.post(EVENTS, body())
    before = stage.milo.memory_mib()
    for _ in range(batches):
        client.post(EVENTS, body())
    return round(stage.milo.memory_mib() - before, 1)


@contextmanager
def _floor(stage: Stage, numbers: "count[int]") -> Iterator[Request]:
    now = datetime.now(UTC).isoformat()
    dimensions = '{"region":"eu-1","zone":"a"}'
    with stage.database() as database:
        database.execute(STAGED)

        def batch() -> None:
            prefix = next(numbers)
            lines = [f"{prefix}-{n}\t{now}\t{n % PROJECTS}\t{n % METERS}\t{n}.25\t{dimensions}\n" for n in range(BATCH)]
            with database.transaction(), database.cursor() as cursor:
                with cursor.copy("COPY staged FROM STDIN") as copy:
                    copy.write("".join(lines))
                cursor.execute("INSERT INTO usage_floor SELECT * FROM staged ON CONFLICT DO NOTHING")

        yield batch


def rollup(stage: Stage) -> Report:
    """A month of an account by service, read over HTTP, at two numbers of events; and the recount of all of them."""
    last = 5_000_000 if stage.seconds >= 1 else 20_000
    projects, meters, intake_id, payer = _paid_for()
    path = f"/apis/billing.milo.io/v1alpha1/namespaces/{ORGANIZATION}/billingaccounts/{payer.name}/usage"
    month = datetime.now(UTC).date().replace(day=1)
    query = f"?from={month}&to={next_month(month)}&granularity=total&groupBy=service"
    asked = UsageQuery(month, next_month(month), TOTAL, ("service",))
    facts: dict[str, object] = {}
    made = 0
    for events in (last // 10, last):
        begun = time.perf_counter()
        with connection.cursor() as cursor:
            given: list[Any] = [projects, len(projects), meters, len(meters), intake_id, events - made]
            cursor.execute(MADE, given)
            cursor.execute("TRUNCATE billing_usagerollup")
        made = events
        facts[f"{events} events made, s"] = round(time.perf_counter() - begun, 1)
        begun = time.perf_counter()
        usage_sums.add_counted(usage_sums.recorded("TRUE"))
        facts[f"{events} events recounted, s"] = round(time.perf_counter() - begun, 1)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE billing_usagerollup")
        served = statistics.quantiles(_timed(lambda: of_account(payer, asked)), n=100)
        facts[f"{events} events, p99 ms without HTTP"] = round(served[98] * 1000, 2)
        with stage.milo.client() as client:
            percentiles = statistics.quantiles(_timed(lambda: client.get(f"{path}{query}")), n=100)
        facts[f"{events} events, p50 ms"] = round(percentiles[49] * 1000, 2)
        facts[f"{events} events, p99 ms"] = round(percentiles[98] * 1000, 2)
    return Report("Read what an account used in a month, by service", facts=facts)


def _paid_for() -> tuple[list[int], list[int], int, BillingAccount]:
    """Projects that one account has paid for since before this month, meters of five services, and an intake."""
    organization = Organization.objects.get(name=ORGANIZATION)
    payer = BillingAccount.objects.get(organization=organization, name="account-998")
    since = datetime.now(UTC) - timedelta(days=60)
    projects = Project.objects.bulk_create(
        Project(name=f"metered-{number}", organization=organization) for number in range(100)
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
        UsageMeter(service=f"service-{number % 5}", name=f"made-{number}", unit="s") for number in range(20)
    )
    intake = UsageIntake.objects.create(reporter=PLATFORM.name, received_at=datetime.now(UTC))
    return [row.pk for row in projects], [row.pk for row in meters], intake.pk, payer


def _timed(call: Callable[[], object]) -> list[float]:
    """Seconds that each of many calls took."""
    found = []
    for _ in range(READS):
        begun = time.perf_counter()
        call()
        found.append(time.perf_counter() - begun)
    return found
