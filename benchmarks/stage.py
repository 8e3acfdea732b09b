"""What every benchmark is given: two running servers on one filled database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from django.core.management import call_command
from django.db import connection

from benchmarks import data
from benchmarks.servers import Server, serve


@dataclass(frozen=True, slots=True)
class Stage:
    """`rounds` and `seconds` say how long a contest lasts; `asked` is how often what takes a moment is measured.

    `empty` is the name of a database with the same tables and no rows, to make others of.
    """

    milo: Server
    peer: Server
    database_url: str
    data: data.Data
    rounds: int
    seconds: float
    asked: int
    empty: str

    def database(self) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection of its own, for the raw SQL floor."""
        return psycopg.connect(self.database_url, autocommit=True)


@contextmanager
def stage(database_url: str, *, quick: bool) -> Iterator[Stage]:
    """Fill the empty database, which must be that of the settings, and serve it until the end of the context."""
    call_command("migrate", verbosity=0)
    name = f"{connection.settings_dict['NAME']}_empty"
    with _copied(name), _served(database_url, name, quick=quick) as served:
        yield served


@contextmanager
def _copied(name: str) -> Iterator[None]:
    """Copy the database of the settings, which nobody may be connected to meanwhile, as `name`."""
    source = connection.settings_dict["NAME"]
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # of PostgreSQL alone
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {source}")
    try:
        yield
    finally:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _served(database_url: str, empty: str, *, quick: bool) -> Iterator[Stage]:
    made = data.make(2_000 if quick else 100_000)
    connection.close()
    rounds, seconds, asked = (2, 0.2, 20) if quick else (5, 2.0, 200)
    with (
        serve(["milo.asgi:application"], "benchmarks.settings", database_url, made.admin) as milo,
        serve(
            ["--factory", "django.core.asgi:get_asgi_application"],
            "benchmarks.peer.settings",
            database_url,
            made.admin,
        ) as peer,
    ):
        yield Stage(milo, peer, database_url, made, rounds, seconds, asked, empty)
