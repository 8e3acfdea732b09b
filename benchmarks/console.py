"""Lists of the staff site in two databases, one with a thousand rows of each model and one with a million."""

import gc
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from itertools import chain, islice
from pathlib import Path
from typing import Any
from unittest import mock

from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.console_pages import LISTS, PERSON, List, address, choices, pages
from benchmarks.console_rows import FILLED, fill
from benchmarks.report import Report
from benchmarks.servers import Failed
from benchmarks.stage import Stage
from milo.admin import estimates

FEW, MANY = 1_000, 1_000_000
# a search takes a fraction of the time of a page, and each choice of each filter is one of many
ASKED, ASKED_SEARCHES, ASKED_CHOICES = 12, 30, 1
_estimates: dict[str, dict[str, int]] = {}


def run(stage: Stage) -> Report:
    """Both databases are asked in turns, each request as often in the one as in the other."""
    small = stage.data.accounts < 10_000
    sizes = (100, 200) if small else (FEW, MANY)
    lists = LISTS[:1] if small else LISTS
    with (
        _filled(stage, "few", sizes[0]) as few,
        _filled(stage, "many", sizes[1]) as many,
        Path(os.devnull).open("w") as nowhere,
        # one line of each request
        redirect_stderr(nowhere),
    ):
        # as the server does at its start, or a collection now and then takes longer than a page
        gc.collect()
        gc.freeze()
        facts = {}
        for listed in lists:
            name, figures = _measured(listed, (few, many), quick=small)
            facts[name] = figures
            # it takes long, and whoever stops it keeps what is known
            print(f"{name}: {figures}", flush=True)
    title = f"Lists of the staff site: p95 ms at {sizes[0]:,} rows and at {sizes[1]:,}, and the ratio"
    return Report(title, facts=facts)


@contextmanager
def _filled(stage: Stage, name: str, rows: int) -> Iterator[Any]:
    """A connection to a database of `rows` rows of each model, in which the person of the session exists."""
    made = connection.copy()
    # there is one pool for all databases of an alias
    made.settings_dict["OPTIONS"].pop("pool")
    made.settings_dict["NAME"] = f"{connection.settings_dict['NAME']}_{name}"
    names = [connection.ops.quote_name(each) for each in (made.settings_dict["NAME"], stage.empty)]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {names[0]} TEMPLATE {names[1]}")
    try:
        with _opened(made):
            User.objects.create_superuser(PERSON)
            fill(rows)
        _estimates[made.settings_dict["NAME"]] = {model._meta.db_table: rows for model in FILLED}
        yield made
    finally:
        made.close()
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {names[0]} WITH (FORCE)")


@contextmanager
def _opened(other: Any) -> Iterator[None]:
    """Have everything in the block ask the database `other`."""
    usual = connections[DEFAULT_DB_ALIAS]
    connections[DEFAULT_DB_ALIAS] = other
    try:
        # a process knows one database, and how long its tables are for a minute
        with mock.patch.object(
            estimates, "of_tables", return_value=_estimates.get(str(other.settings_dict["NAME"]), {})
        ):
            yield
    finally:
        connections[DEFAULT_DB_ALIAS] = usual


def _measured(listed: List, databases: Sequence[Any], *, quick: bool) -> tuple[str, dict[str, Any]]:
    """Return the name of a list, and figures of its pages, of its searches, and of its filters and orders."""
    clients = [_client(database) for database in databases]
    asked = [_asked(listed, database, quick=quick) for database in databases]
    took: dict[str, list[list[float]]] = {}
    most = 0
    for kind, (_query, times) in asked[0].items():
        requests = [
            (each, client, address(listed.model, of[kind][0]))
            for each, client, of in zip(databases, clients, asked, strict=True)
        ]
        # what is asked first fills caches
        most = max(most, *(_queries(*request) for request in requests))
        turns = [[_milliseconds(*request) for request in requests] for _turn in range(1 if quick else times)]
        took[kind] = [list(of) for of in zip(*turns, strict=True)]
    chosen = [kind for kind in took if "=" in kind]
    searches = [kind for kind in took if "search" in kind]
    facts = {
        "pages": _figures([took[kind] for kind in took if kind not in (*searches, *chosen)]),
        "searches": _figures([took[kind] for kind in searches]),
        "filters and orders": _figures([took[kind] for kind in chosen]),
        "medians": {kind: [round(statistics.median(each)) for each in took[kind]] for kind in took},
        "queries": most,
    }
    return str(listed.model._meta.verbose_name_plural), facts


def _asked(listed: List, database: Any, *, quick: bool) -> dict[str, tuple[dict[str, str], int]]:
    """Return what a database is asked for by what it is, and how often; `quick`, few of the filters and orders."""
    with _opened(database):
        asked = {kind: (query, ASKED_SEARCHES if "search" in kind else ASKED) for kind, query in pages(listed).items()}
        chosen = islice(choices(listed.model).items(), 3 if quick else None)
        return asked | {kind: (query, ASKED_CHOICES) for kind, query in chosen}


def _figures(took: Sequence[list[list[float]]]) -> list[float]:
    """Return the 95th percentiles of the milliseconds in each database, and their ratio."""
    few, many = (statistics.quantiles(chain(*of), n=20)[18] for of in zip(*took, strict=True))
    return [round(few, 1), round(many, 1), round(many / few, 2)]


def _client(database: Any) -> Client:
    client = Client(SERVER_NAME="localhost")
    with _opened(database):
        client.force_login(User.objects.get(username=PERSON))
    return client


def _milliseconds(database: Any, client: Client, address: str) -> float:
    with _opened(database):
        begun = time.perf_counter()
        page = client.get(address)
        taken = (time.perf_counter() - begun) * 1000
    if page.status_code != 200:
        raise Failed(f"GET {address}: {page.status_code}")
    return taken


def _queries(database: Any, client: Client, address: str) -> int:
    with _opened(database), CaptureQueriesContext(connection) as queries:
        client.get(address)
        # a session that is a minute old is written, which is not the list's doing
        return sum(query["sql"].lstrip("(").startswith("SELECT") for query in queries)
