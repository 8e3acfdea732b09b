"""What a process needs to serve: checks by name, which any application may add to.

A check is a function that raises `Unready` with the reason. milo/health.py runs them and answers the probes.
"""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

import structlog
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

log = structlog.get_logger(__name__)
DATABASE_AWAY = "the database does not answer"
NOT_IN_TIME = "the database did not answer it in time"
QUERY_CANCELED = "57014"
OfDatabase = TypeVar("OfDatabase", bound=Callable[[BaseDatabaseWrapper], None])
Other = TypeVar("Other", bound=Callable[[], None])


class Unready(Exception):
    """The reason why a check failed. Strangers read it: it names no secret, no person and no object."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `run` takes a connection, which a probe bounds in time.

    A check that passed is not run again for `kept_seconds`, and goes on counting as passed while it then runs. One that
    only `degrades` leaves the process ready.
    """

    name: str
    run: Callable[[BaseDatabaseWrapper], None]
    asks_database: bool
    degrades: bool = False
    kept_seconds: float = 0


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a check; `reason` is empty where it passed."""

    name: str
    reason: str
    degrades: bool

    @property
    def line(self) -> str:
        """Return the line of `?verbose`, in the form of https://kubernetes.io/docs/reference/using-api/health-checks/."""
        if not self.reason:
            return f"[+]{self.name} ok"
        return f"[!]{self.name} degraded: {self.reason}" if self.degrades else f"[-]{self.name} failed: {self.reason}"


_checks: dict[str, Check] = {}


def check_of_database(name: str, *, kept_seconds: float = 0) -> Callable[[OfDatabase], OfDatabase]:
    """Register a function that asks the database, by the connection that it takes."""

    def decorate(run: OfDatabase) -> OfDatabase:
        _checks[name] = Check(name, run, asks_database=True, kept_seconds=kept_seconds)
        return run

    return decorate


def check(name: str, *, degrades: bool = False) -> Callable[[Other], Other]:
    """Register a function that asks no database."""

    def decorate(run: Other) -> Other:
        _checks[name] = Check(name, lambda _connection: run(), asks_database=False, degrades=degrades)
        return run

    return decorate


def all_checks() -> Sequence[Check]:
    """Return the checks in the order of their registration."""
    return list(_checks.values())


def results(
    checks: Sequence[Check], connection: BaseDatabaseWrapper, passed: MutableMapping[str, float]
) -> Iterator[Result]:
    """Yield the result of each check. Once the database fails, none asks it again.

    `passed` keeps, from one call to the next, until when (time.monotonic) a check counts as passed. One that found
    something wrong the last time is not in it. A database that is away says nothing about what was found in it.
    """
    away = ""
    for each in checks:
        reason = ""
        if monotonic() >= passed.get(each.name, 0):
            reason = away if each.asks_database and away else _reason(each, connection)
            if reason == DATABASE_AWAY:
                away = reason
            elif reason:
                passed.pop(each.name, None)
            else:
                passed[each.name] = monotonic() + each.kept_seconds
        yield Result(each.name, reason, each.degrades)


def _reason(each: Check, connection: BaseDatabaseWrapper) -> str:
    try:
        each.run(connection)
    except Unready as error:
        return str(error)
    except DatabaseError as error:
        log.warning("readiness_check_failed", check=each.name, error=error)
        with suppress(Exception):
            connection.close()
        # a statement that took too long was refused by a database that is there
        return NOT_IN_TIME if getattr(error.__cause__, "sqlstate", None) == QUERY_CANCELED else DATABASE_AWAY
    except Exception:
        log.exception("readiness_check_failed", check=each.name)
        return "it could not be checked; the log tells why"
    return ""
