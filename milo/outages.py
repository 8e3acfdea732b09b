"""Errors of the database that are no fault of a request: the same request succeeds once the cause is gone.

The codes of PostgreSQL are those of https://www.postgresql.org/docs/current/errcodes-appendix.html, the codes of SQLite
those of https://www.sqlite.org/rescode.html.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import structlog
from django.db import InterfaceError, connection
from django.utils.translation import gettext as _

from milo import disks
from milo.errors import Busy, Refused, TooSlow, Unavailable
from milo.metrics import counted

log = structlog.get_logger(__name__)
# a lock that was not had in time, a deadlock, a transaction that another one overtook
_BUSY = {"55P03", "40P01", "40001"}
# statement_timeout and idle_in_transaction_session_timeout
_TOO_SLOW = {"57014", "25P03", "25P04"}
# connections, resources, the operator's intervention, the system; and a server that has become a standby
_AWAY = ("08", "53", "57P", "58", "25006")
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DISK_FULL = "53100"
_SQLITE_AWAY = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
_PRIMARY_CODE = 0xFF


class DiskFull(Unavailable):
    """A write met a full disk. The log has the folder."""

    def __init__(self) -> None:
        super().__init__(_("a disk of the server is full: nothing has changed, and reading goes on"))


@contextmanager
def on_disk(disk: str, folder: object) -> Iterator[None]:
    """Raise `DiskFull` for the error of a full disk inside, and leave a line that names the disk and the folder."""
    try:
        yield
    except OSError as error:
        if not disks.is_full(error):
            raise
        disks.log_full(disk, folder)
        raise DiskFull from error


def refusal(error: BaseException | None) -> Refused | None:
    """Return the refusal of a request that met an outage of the database or a full disk, and leave a line in the log.

    None where neither the error nor one that it came from is an outage.
    """
    for each in _chain(error):
        if disks.is_full(each):
            log.warning("disk_outage", error=each, answer=DiskFull.reason)
            return DiskFull()
        if refused := _of_postgresql(each) or _of_sqlite(each):
            log.warning("database_outage", error=each, answer=refused.reason)
            counted.outages.labels(refused.reason).inc()
            return refused
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from: Django's own errors come from those of the driver."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _of_postgresql(error: BaseException) -> Refused | None:
    if isinstance(error, InterfaceError):
        # Django: the connection was closed within a transaction
        return _away()
    if not isinstance(error, psycopg.Error):
        return None
    code = error.sqlstate
    if code is None:
        # no server has answered: none could be reached, or no connection was free in time
        return _away() if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else None
    if code in _BUSY:
        return Busy(_("too many others work on the same object; please try again"))
    if code == _DISK_FULL:
        return _full()
    if code in _TOO_SLOW:
        return TooSlow(_("the database took longer than it may; nothing has changed"))
    return _away() if code.startswith(_AWAY) else None


def _of_sqlite(error: BaseException) -> Refused | None:
    if not isinstance(error, sqlite3.OperationalError):
        return None
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    if code in _SQLITE_BUSY:
        return Busy(_("too many others work on the same object; please try again"))
    if code == sqlite3.SQLITE_FULL:
        disks.log_full("database", Path(str(connection.settings_dict["NAME"])).parent)
        return _full()
    return _away() if code in _SQLITE_AWAY else None


def _full() -> Refused:
    return Unavailable(_("the disk of the database is full: nothing has changed, and reading goes on"))


def _away() -> Refused:
    return Unavailable(_("the database does not answer now; please try again"))
