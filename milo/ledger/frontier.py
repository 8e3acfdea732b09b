"""The frontier of the sealed tables: keys up to which all rows are final.

A writer takes its key before it commits, so rows below the newest visible key may still be missing. The newest keys are
read first, then the transactions that write at that moment are waited for, which PostgreSQL lists by their locks on the
tables. Writers never wait.
"""

import time

from django.db import connection
from django.db.models import Max

from milo.ledger.tables import all_tables

PATIENCE = 10.0
"""Seconds to wait for current writers before the next round tries again."""


class WritersBusy(Exception):
    """A transaction that writes to sealed tables stays open, so its rows are not final yet."""


def final_keys() -> dict[str, int]:
    """Return a key of each sealed table, by its name, up to which no row can be added any more; 0 for an empty table.

    Waits for the transactions that write now. Raises `WritersBusy` if one stays for longer than `PATIENCE` seconds.
    """
    newest = {
        table.name: table.model._base_manager.aggregate(newest=Max("pk"))["newest"] or 0 for table in all_tables()
    }
    _await_writers(PATIENCE)
    return newest


def _writers() -> set[str]:
    """Return the other transactions that currently write to sealed tables. On SQLite keys are in commit order."""
    if connection.vendor != "postgresql":
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT virtualtransaction FROM pg_locks JOIN pg_class ON pg_class.oid = relation"
            " WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND relname = ANY(%s)"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND pid IS DISTINCT FROM pg_backend_pid()",
            [[table.name for table in all_tables()]],
        )
        return {name for (name,) in cursor.fetchall()}


def _await_writers(patience: float) -> None:
    until, writing = time.monotonic() + patience, _writers()
    while writing:
        if time.monotonic() > until:
            raise WritersBusy(f"{len(writing)} transactions have been writing for more than {patience:.0f} s")
        time.sleep(0.02)
        writing &= _writers()
