"""The clock of the ledger, and its comparison with the clock of the database.

Instants of the ledger are those of the process, because they are drawn under locks. A process whose clock is wrong
would expire, archive and purge before the time, and write bindings that begin in the future, or in the past, where
others have paid. So it is compared with a second clock, before whatever cannot be undone and by every write: on
PostgreSQL that of the server; on SQLite, where both clocks are one, with the newest instant that was written, which
shows only a clock that is behind, and refuses what cannot be undone alone.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone
from django.utils.translation import gettext as _

from milo.errors import Unavailable

TOLERANCE = timedelta(minutes=1)
"""The difference of two clocks that is tolerated."""
DATABASE_CLOCK = "clock_timestamp()"
"""The current instant in the SQL of PostgreSQL; unlike now(), it goes on within a transaction."""
_SQLITE_CLOCK = "strftime('%Y-%m-%d %H:%M:%f', 'now', '{:+d} seconds')"
GUARD = "_not_ahead"
"""The end of the name of each guard that refuses an instant ahead of the clock of the database."""
log = structlog.get_logger(__name__)
_newest: list[Callable[[], datetime | None]] = []


class ClockWrong(Unavailable):
    """The clock of this process differs from that of the database by more than `TOLERANCE`."""


def ledger_time(previous: datetime | None = None) -> datetime:
    """Return the current instant in UTC, at least 1 microsecond after `previous`.

    Call it only after locking the row whose timeline it extends: a clock read before the lock ran backwards in 11% of
    handovers (docs/traps.md).
    """
    now = timezone.now()
    if previous is None or now > previous:
        return now
    return previous + timedelta(microseconds=1)


def valid_time(instant: datetime, previous: datetime | None = None) -> datetime:
    """Return `instant`, the ledger time of a change, as the instant from which the change is in force.

    History that a wrong clock has left in the future moves the ledger time there. What begins now must not: then it is
    the clock's, at least 1 microsecond after `previous`, the newest instant in force before. Call it under the lock.
    """
    return instant if instant - timezone.now() <= TOLERANCE else ledger_time(previous)


def register_newest(function: Callable[[], datetime | None]) -> None:
    """Register a function that returns the instant (UTC) of the newest write, or None. SQLite is compared with it."""
    _newest.append(function)


def fault(connection: BaseDatabaseWrapper) -> str:
    """Return what is wrong with the clock of this process, for people; empty if nothing is known to be.

    Raises `DatabaseError` if the database cannot be asked.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # the query takes time: compare with the nearer end of it
            before = timezone.now()
            cursor.execute(f"SELECT {DATABASE_CLOCK}")
            (theirs,) = cursor.fetchone()
            after = timezone.now()
        return fault_between(before, after, theirs)
    newest = max((at for read in _newest if (at := read())), default=None)
    if newest is None or newest - timezone.now() <= TOLERANCE:
        return ""
    return _("the newest entry of the ledger is later than the clock of this machine by %(span)s") % {
        "span": _span(newest - timezone.now())
    }


def fault_between(before: datetime, after: datetime, theirs: datetime) -> str:
    """Return what is wrong with this process's clock if the database's was `theirs` between two readings of it."""
    if before - theirs > TOLERANCE:
        return _("the clock of this process is ahead of the database's by %(span)s") % {"span": _span(before - theirs)}
    if theirs - after > TOLERANCE:
        return _("the clock of this process is behind the database's by %(span)s") % {"span": _span(theirs - after)}
    return ""


def refuse_start(connection: BaseDatabaseWrapper) -> None:
    """End a process that starts with a wrong clock, with the reason. A database that is away is no reason.

    On SQLite the reason is logged: the newest revision may be what is wrong, left by a clock that was ahead.
    """
    try:
        reason = fault(connection)
    except DatabaseError:
        return
    if reason and connection.vendor == "postgresql":
        raise SystemExit(_advice(reason))
    if reason:
        log.warning("clock_behind_ledger", reason=reason)


def refuse_wrong(using: str = "default") -> None:
    """Raise `ClockWrong` if the clock of this process is wrong. Call it before anything that cannot be undone."""
    if reason := fault(connections[using]):
        raise ClockWrong(_advice(reason))


def refuse_difference(theirs: datetime) -> None:
    """Raise `ClockWrong` if the clock of this process differs from `theirs`, the database's instant just read.

    Call it with an instant that a statement of the write has returned beside its result, so that it costs nothing.
    """
    now = timezone.now()
    if reason := fault_between(now, now, theirs):
        raise ClockWrong(_advice(reason))


def is_ahead(instant: str) -> str:
    """Return the condition, in the SQL of PostgreSQL, that the expression `instant` is ahead of its clock."""
    return f"{instant} > {DATABASE_CLOCK} + interval '{TOLERANCE.total_seconds():.0f} seconds'"


def in_sql(vendor: str, seconds: int = 0) -> str:
    """Return the present instant of the database, `seconds` later, in the SQL of `vendor`; SQLite has milliseconds."""
    if vendor == "postgresql":
        return f"({DATABASE_CLOCK} + interval '{seconds} seconds')"
    return _SQLITE_CLOCK.format(seconds)


def explain_refusal(guard: str) -> None:
    """Raise `ClockWrong` if `guard`, by which the database refused a row, is one of those that compare clocks."""
    if guard.endswith(GUARD):
        raise ClockWrong(_advice(_("the clock of this process is ahead of the database's")))


def _advice(reason: str) -> str:
    return _("%(reason)s: set it right first") % {"reason": reason}


def _span(difference: timedelta) -> str:
    """Return a span in seconds, for people: `15 days, 0:00:03`."""
    return str(timedelta(seconds=round(difference.total_seconds())))
