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
    """`rounds` and `seconds` say how long a contest lasts; `asked` is how often what takes a moment is measured."""

    milo: Server
    peer: Server
    database_url: str
    data: data.Data
    rounds: int
    seconds: float
    asked: int

    def database(self) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection of its own, for the raw SQL floor."""
        return psycopg.connect(self.database_url, autocommit=True)


@contextmanager
def stage(database_url: str, *, quick: bool) -> Iterator[Stage]:
    """Fill the empty database, which must be that of the settings, and serve it until the end of the context."""
    call_command("migrate", verbosity=0)
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
        yield Stage(milo, peer, database_url, made, rounds, seconds, asked)
