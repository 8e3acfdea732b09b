"""kill -9 of the server while it takes a batch of usage: sent again, it is whole, and each event is counted once."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPException
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import orjson
import psutil
import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Sum

from benchmarks.servers import Server, serve
from billing.models import UsageEvent, UsageKey, UsageRollup
from projects.access import USAGE_REPORTER
from tests.support import make
from tests.support.usage import an_event

EVENTS = "/apis/usage.milo.io/v1alpha1/events"
SIZE = 10_000
MOMENTS = (0.0, 0.2, 0.5, 1.2)
"""When the server is killed, as parts of the time that the transaction of such a batch takes."""
WITHIN_SECONDS = 30.0
# of this database alone: the locks of `billing.services.usage.locks`, which an intake has until its transaction ends
LOCKED = """
    SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.classid = x'75736167'::int)
"""

Open = Callable[[], bool]


def database_url() -> str:
    """The database of this test, for another process."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["TEST_DATABASE_URL"])._replace(path=f"/{name}").geturl()


@contextmanager
def watching() -> Iterator[Open]:
    """Tells whether a transaction of an intake is open, from outside of the server."""
    if connection.vendor == "postgresql":
        with psycopg.connect(database_url(), autocommit=True) as looking:
            yield lambda: looking.execute(LOCKED).fetchone() == (True,)
        return
    with closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=0, isolation_level=None)) as database:

        def is_open() -> bool:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                # the one writer of SQLite is at work
                return True
            database.execute("ROLLBACK")
            return False

        yield is_open


def wait_until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN_SECONDS
    while not ready():
        assert time.monotonic() < end


def stands_still(process: psutil.Process) -> bool:
    states = (psutil.Process(thread.id).status() for thread in process.threads())
    return all(state == psutil.STATUS_STOPPED for state in states)


def batch(projects: list[Any], number: int) -> bytes:
    """Events with the quantities 1 to SIZE."""
    return orjson.dumps([an_event(projects[n % len(projects)], str(n), id=f"{number}-{n}") for n in range(1, SIZE + 1)])


def post(server: Server, body: bytes) -> dict[str, int]:
    with server.client() as client:
        receipt: dict[str, int] = orjson.loads(client.post(EVENTS, body))
    return receipt


def seconds_open(server: Server, body: bytes, is_open: Open) -> float:
    """How long the transaction of a batch takes that is left in peace."""
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(post, server, body)
        wait_until(is_open)
        begun = time.monotonic()
        wait_until(lambda: not is_open())
        taken = time.monotonic() - begun
        assert sent.result()["accepted"] == SIZE
    return taken


def kill_in_mid_batch(server: Server, body: bytes, is_open: Open, after: float) -> bool:
    """Kill the server so many seconds after its transaction began; whether it was open still."""
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(post, server, body)
        wait_until(is_open)
        time.sleep(after)
        # it stands still first, so that what is seen is what it is killed in
        server.process.suspend()
        wait_until(lambda: stands_still(server.process))
        was_open = is_open()
        server.process.kill()
        failure = sent.exception()
    # PostgreSQL ends the statement that it was at before it misses the server
    wait_until(lambda: not is_open())
    assert isinstance(failure, OSError | HTTPException) or not was_open
    return was_open


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_batch_in_which_the_server_was_killed_is_whole_after_a_repeat_and_counted_once() -> None:
    account = make.a_ready_account(make.an_organization())
    projects = [make.a_project(account.organization) for _number in range(20)]
    for project in projects:
        make.a_binding(project, account)
    token = make.a_token(make.a_person("meter", groups=(USAGE_REPORTER,)))[1]
    interrupted, rolled_back = 0, 0
    with watching() as is_open, ExitStack() as stack:

        def start() -> Server:
            server = stack.enter_context(serve(["milo.asgi:application"], "milo.settings", database_url(), token))
            with server.client() as client:
                # that the token was used is written once a minute, and must not be taken for an intake
                client.get("/apis")
            return server

        server = start()
        seconds = seconds_open(server, batch(projects, 0), is_open)
        for number, moment in enumerate(MOMENTS, start=1):
            body = batch(projects, number)
            interrupted += kill_in_mid_batch(server, body, is_open, seconds * moment)
            kept = UsageEvent.objects.count() - number * SIZE
            assert kept in (0, SIZE)
            rolled_back += not kept

            server = start()
            receipt = post(server, body)
            assert (receipt["accepted"], receipt["duplicates"], receipt["rejected"]) == (SIZE - kept, kept, 0)
            assert UsageEvent.objects.count() == UsageKey.objects.count() == (number + 1) * SIZE
    # or no kill has proved anything
    assert interrupted
    assert rolled_back

    months = UsageRollup.objects.filter(granularity="month", account=account)
    assert months.aggregate(Sum("events"))["events__sum"] == (len(MOMENTS) + 1) * SIZE
    assert sum(row.quantity for row in months) == (len(MOMENTS) + 1) * SIZE * (SIZE + 1) // 2
    said = StringIO()
    call_command("usage", "verify", stdout=said)
    assert said.getvalue().endswith("months of projects are the recount of their events\n")
