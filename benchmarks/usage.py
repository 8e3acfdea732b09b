"""The intake of usage: batches of 1,000 events over HTTP beside COPY and INSERT ON CONFLICT alone."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count

import orjson
from django.contrib.auth.models import Group, User

from benchmarks.contest import Contestant, Request, hold
from benchmarks.report import Report
from benchmarks.servers import Client
from benchmarks.stage import Stage
from milo.identity.actors import actor_of
from milo.identity.tokens import issue_token
from projects.access import USAGE_REPORTER

EVENTS = "/apis/usage.milo.io/v1alpha1/events"
BATCH, PROJECTS, METERS = 1_000, 50, 5
MARK = b"@@@@"
MEMORY_BATCHES = 200
FLOOR = (
    "CREATE TABLE usage_floor (key text PRIMARY KEY, time timestamptz, project bigint, meter bigint, quantity numeric,"
    " dimensions jsonb)"
)
STAGED = "CREATE TEMPORARY TABLE staged (LIKE usage_floor) ON COMMIT DELETE ROWS"


def token() -> str:
    """Issue a token for a reporter of usage."""
    reporter = User.objects.get_or_create(username="meter")[0]
    reporter.groups.add(Group.objects.get_or_create(name=USAGE_REPORTER)[0])
    return issue_token(reporter, actor=actor_of(reporter))[1]


def batches(stem: str = "project", projects: int = PROJECTS) -> Callable[[], bytes]:
    """Return a function that returns another batch of events of now at each call, of projects by stem and number."""
    numbers = count()
    template = orjson.dumps([_event(number, f"{stem}-{number % projects}") for number in range(BATCH)])
    return lambda: template.replace(MARK, f"{stem}-{next(numbers)}".encode())


def over_http(stage: Stage, token: str, body: Callable[[], bytes]) -> Contestant:
    """Report batches through Milo's API."""

    @contextmanager
    def connect(worker: int) -> Iterator[Request]:
        with stage.milo.client(token) as client:
            yield lambda: client.post(EVENTS, body())

    with stage.milo.client(token) as client:
        queries = client.queries_of(EVENTS, body())
    return Contestant("milo", connect, stage.milo.cpu_seconds, queries)


def _event(number: int, project: str) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": f"{MARK.decode()}-{number}",
        "source": "//compute.example/eu-1",
        "type": "io.milo.usage",
        "time": datetime.now(UTC).isoformat(),
        "subject": f"projects/{project}",
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
    reporter, body = token(), batches()
    with stage.database() as database:
        database.execute(FLOOR)
    milo, numbers = over_http(stage, reporter, body), count()
    with stage.milo.client(reporter) as client:
        growth = _memory(stage, client, body)
    contestants = [milo, Contestant("COPY and INSERT alone", lambda worker: _floor(stage, numbers), queries=3)]
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
