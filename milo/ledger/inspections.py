"""Checks of the ledger, and the result of the last run of each, which metrics show."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from milo.ledger.models import Inspection


@dataclass(frozen=True, slots=True)
class Check:
    """A check, run by `manage.py ledger NAME`. `find` returns the violations; each prints as a line for people."""

    name: str
    help: str
    find: Callable[[], Iterable[object]]


_checks: dict[str, Check] = {}


def register(check: Check) -> None:
    """Register a check. Call it when the application is loaded."""
    _checks[check.name] = check


def checks() -> dict[str, Check]:
    return dict(_checks)


def record(name: str, violations: int, message: str = "", place: dict[str, Any] | None = None) -> None:
    """Record a run of the check `name` with its number of violations; `message` describes the first.

    `place` is where the next run goes on; None leaves it.
    """
    now = timezone.now()
    result: dict[str, Any] = {"at": now, "violations": violations, "message": message}
    if place is not None:
        result["place"] = place
    Inspection.objects.update_or_create(name=name, defaults=result if violations else result | {"succeeded_at": now})


def message_of(name: str) -> str:
    """Return the message of the last run of the check `name`; empty without violations or without a run."""
    return Inspection.objects.filter(name=name).values_list("message", flat=True).first() or ""


def place_of(name: str) -> dict[str, Any]:
    """Return where the last run of the check `name` came to; empty without one."""
    return Inspection.objects.filter(name=name).values_list("place", flat=True).first() or {}
