"""The database engine `milo.sqlite`: https://docs.djangoproject.com/en/5.2/ref/databases/#sqlite-notes"""

import re
import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from os.path import realpath
from time import monotonic, sleep
from typing import Any
from weakref import finalize

from django.db.backends.sqlite3 import base

from milo.sqlite.lines import Turn, line

ASK_AGAIN_SECONDS = 0.002
"""Only one thread of a process asks, so it may ask more often than SQLite, which pauses for up to 100 ms.

Other processes need that: between two writers of a full line the database is free for a moment only.
"""
DEFAULT_TIMEOUT_SECONDS = 5.0
"""Of Python's sqlite3."""
_PRIMARY_CODE = 0xFF
# of a transaction only the first one counts; DDL outside of transactions stays with SQLite's own lock
_BEGINS_TO_WRITE = re.compile(r"\s*(?:BEGIN\s+(?:IMMEDIATE|EXCLUSIVE)|INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's SQLite backend. A connection has a turn from its first writing statement to COMMIT, ROLLBACK or close.

    A single statement outside of transactions has a turn of its own. Connections that read have none.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._end_turn: finalize[[], DatabaseWrapper] | None = None
        self._path = ""

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        self._path = "" if self.is_in_memory_db() else realpath(str(conn_params["database"]))
        made: sqlite3.Connection = super().get_new_connection(conn_params)
        return made

    def create_cursor(self, name: str | None = None) -> "Cursor":
        made: Cursor = self.connection.cursor(factory=partial(Cursor, write=self._write))
        return made

    def _write(self, statement: Callable[[], Any], *, repeatable: bool) -> Any:
        """Run a statement that begins to write in a turn, which stays if a transaction is open afterwards.

        Raises what SQLite raises if the turn, or then SQLite's own lock, is not had within the connection's timeout.
        """
        if not self._path or (self._end_turn and self._end_turn.alive):
            return statement()
        until = monotonic() + self._timeout
        turn = Turn()
        # also where a thread ends within a transaction: its connection is then collected, which rolls back
        self._end_turn = finalize(self, turn.end)
        try:
            if not line(self._path).wait(turn, self._timeout):
                raise _locked()
            return self._ask(statement, until) if repeatable and not self.connection.in_transaction else statement()
        finally:
            self._leave()

    def _ask(self, statement: Callable[[], Any], until: float) -> Any:
        """Run a statement as soon as no other process writes. One that SQLite refuses as busy has done nothing."""
        self.connection.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    return statement()
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode & _PRIMARY_CODE != sqlite3.SQLITE_BUSY or monotonic() >= until:
                        raise
                sleep(ASK_AGAIN_SECONDS)
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {int(self._timeout * 1000)}")

    @property
    def _timeout(self) -> float:
        return float(self.settings_dict["OPTIONS"].get("timeout", DEFAULT_TIMEOUT_SECONDS))

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        finally:
            self._leave()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._leave()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._leave(closed=True)

    def _leave(self, *, closed: bool = False) -> None:
        """End the turn unless a transaction is open: of a COMMIT that failed, ROLLBACK ends it."""
        if self._end_turn and (closed or self.connection is None or not self.connection.in_transaction):
            self._end_turn()
            self._end_turn = None


class Cursor(base.SQLiteCursorWrapper):
    """Passes statements that begin to write to `write`."""

    def __init__(self, connection: sqlite3.Connection, write: Callable[..., Any]) -> None:
        super().__init__(connection)
        self._write = write

    def execute(self, query: str, params: Any = None) -> Any:
        run = partial(super().execute, query, params)
        return self._write(run, repeatable=True) if _BEGINS_TO_WRITE.match(query) else run()

    def executemany(self, query: str, param_list: Iterable[Any]) -> Any:
        # without a transaction each row is one: some are written where a later one finds the database busy
        run = partial(super().executemany, query, param_list)
        return self._write(run, repeatable=False) if _BEGINS_TO_WRITE.match(query) else run()


def _locked() -> sqlite3.OperationalError:
    """Return the error of SQLite, by which callers recognize it."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_BUSY, "SQLITE_BUSY"
    return error
