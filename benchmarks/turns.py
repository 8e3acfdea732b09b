"""Many threads that write to one SQLite file: with the turns of `milo.sqlite`, and as Django's own backend leaves it.

SQLite is the embedded database, so this benchmark has files of its own, beside the PostgreSQL of the others.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

from django.db import OperationalError, connections, transaction

from benchmarks.report import Report
from benchmarks.stage import Stage

WRITERS = 32
WORK_SECONDS = 0.003
"""What a transaction of Milo does between its statements, in Python and in other system calls."""
# those of milo/settings/databases.py
OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL"}
ENGINES = {"with turns": "milo.sqlite", "without": "django.db.backends.sqlite3"}


def run(stage: Stage) -> Report:
    """Alternate rounds of both; the ratio is that of their latencies' 99th percentile to the median."""
    latencies: dict[str, list[float]] = {name: [] for name in ENGINES}
    refused = dict.fromkeys(ENGINES, 0)
    for _round in range(stage.rounds):
        for name, engine in ENGINES.items():
            with _database(engine) as alias, ThreadPoolExecutor(WRITERS) as pool:
                end = time.perf_counter() + 3 * stage.seconds
                for found, locked in pool.map(_write, range(WRITERS), repeat((alias, end))):
                    latencies[name] += found
                    refused[name] += locked
    facts: dict[str, Any] = {"writers": WRITERS}
    ratios = {}
    for name, found in latencies.items():
        percentiles = statistics.quantiles(found, n=100)
        ratios[name] = percentiles[98] / percentiles[49]
        facts |= _facts(name, found, percentiles) | {f"{name}, refused as locked": refused[name]}
    facts["p99 over p50, without to with turns"] = round(ratios["without"] / ratios["with turns"], 1)
    return Report("32 threads write to one SQLite file", facts=facts)


def _facts(name: str, found: Sequence[float], percentiles: Sequence[float]) -> dict[str, Any]:
    return {
        f"{name}, writes": len(found),
        f"{name}, p50, p99 and longest, ms": [
            round(seconds * 1000) for seconds in (percentiles[49], percentiles[98], max(found))
        ],
        f"{name}, p99 over p50": round(percentiles[98] / percentiles[49], 1),
    }


@contextmanager
def _database(engine: str) -> Iterator[str]:
    """Provide the alias of an empty file, which each thread opens for itself."""
    with tempfile.TemporaryDirectory(prefix="milo-turns-") as folder:
        database = {"ENGINE": engine, "NAME": Path(folder) / "turns.sqlite3", "OPTIONS": OPTIONS}
        connections.settings["turns"] = connections.configure_settings({"default": database})["default"]
        try:
            with connections["turns"].cursor() as cursor:
                cursor.execute("CREATE TABLE written (id INTEGER PRIMARY KEY, writer INTEGER, number INTEGER)")
            yield "turns"
        finally:
            connections["turns"].close()
            del connections["turns"]
            del connections.settings["turns"]


def _write(writer: int, until: tuple[str, float]) -> tuple[list[float], int]:
    """Write to a database until an instant. Return the seconds of each transaction, and how many were refused."""
    alias, end = until
    latencies: list[float] = []
    refused = 0
    try:
        while not latencies or time.perf_counter() < end:
            begun = time.perf_counter()
            try:
                with transaction.atomic(alias), connections[alias].cursor() as cursor:
                    cursor.execute("SELECT max(number) FROM written WHERE writer = %s", [writer])
                    cursor.fetchone()
                    time.sleep(WORK_SECONDS)
                    cursor.execute("INSERT INTO written (writer, number) VALUES (%s, %s)", [writer, len(latencies)])
            except OperationalError:
                refused += 1
            latencies.append(time.perf_counter() - begun)
    finally:
        connections.close_all()
    return latencies, refused
