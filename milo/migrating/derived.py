"""Tables that triggers derive from others, and how their rows are made anew beside those who write."""

import time
from dataclasses import dataclass

from django.core.management.base import CommandError
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from milo.migrating import locks

_AT_ONCE = 1000
_PAUSE = 0.25  # seconds


@dataclass(frozen=True, slots=True)
class Derived:
    """A table that has the rows of a query, one at most for each row of another table, and triggers that keep it.

    `rows` is the query of all `columns`. The first column is the key of the row, and the `id` of a row of `source`;
    whoever changes what the query says of that row holds its lock.
    """

    table: str
    columns: tuple[str, ...]
    source: str
    rows: str

    @property
    def key(self) -> str:
        return self.columns[0]

    @property
    def lacking(self) -> str:
        """What stands after SELECT and columns of `r`, for the rows that are not in the table."""
        return (
            f"FROM ({self.rows}) AS r"
            f" WHERE NOT EXISTS (SELECT 1 FROM {self.table} AS t WHERE t.{self.key} = r.{self.key})"
        )

    @property
    def untrue(self) -> str:
        """What stands after SELECT and columns of `t`, or after DELETE, for the rows that are not in the query."""
        same = " AND ".join(f"r.{column} = t.{column}" for column in self.columns)
        return f"FROM {self.table} AS t WHERE NOT EXISTS (SELECT 1 FROM ({self.rows}) AS r WHERE {same})"


def fill(connection: BaseDatabaseWrapper, derived: Derived) -> None:
    """Insert the rows that the table lacks and delete those that are untrue; its triggers are there before.

    Waits for nobody: what others have locked comes in the next round. Raises `CommandError` if they have it locked for
    all of `locks.PATIENCE`; what was made until then stands.
    """
    columns = ", ".join(derived.columns)
    delete = f"DELETE {derived.untrue}"
    insert = f"INSERT INTO {derived.table} ({columns}) SELECT {columns} {derived.lacking}"
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":  # nobody writes beside it
            cursor.execute(delete)
            cursor.execute(insert)
            return
        cursor.execute(f"SELECT r.{derived.key} {derived.lacking} UNION SELECT t.{derived.key} {derived.untrue}")
        left = sorted(key for (key,) in cursor.fetchall())
    of_part = [
        f"{delete} AND t.{derived.key} = ANY(%s)",
        f"{insert} AND r.{derived.key} = ANY(%s) ON CONFLICT DO NOTHING",
    ]
    until = time.monotonic() + locks.PATIENCE.total_seconds()
    while True:
        parts = [left[start : start + _AT_ONCE] for start in range(0, len(left), _AT_ONCE)]
        left = [key for part in parts for key in _fill(connection, derived.source, of_part, part)]
        if not left:
            return
        if time.monotonic() > until:
            raise CommandError(
                f"{len(left)} rows of {derived.source} are locked by others all the time; run migrate again"
            )
        time.sleep(_PAUSE)


def _fill(connection: BaseDatabaseWrapper, source: str, statements: list[str], part: list[object]) -> list[object]:
    """Make the rows of those that nobody else has locked, and return the others."""
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        lock = f"SELECT id FROM {source} WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
        cursor.execute(lock, [part])
        locked = {key for (key,) in cursor.fetchall()}
        # statements of their own: they see what whoever had the lock before has done
        for statement in statements:
            cursor.execute(statement, [[*locked]])
    return [key for key in part if key not in locked]
