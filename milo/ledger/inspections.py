"""When the ledger was last checked, and what was found: one row a check, which metrics show."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.utils import timezone

from milo.ledger.models import Inspection


@dataclass(frozen=True, slots=True)
class Check:
    """A check that `manage.py ledger NAME` makes: `find` gives what is wrong, each as a line for people."""

    name: str
    help: str
    find: Callable[[], Iterable[object]]


_checks: dict[str, Check] = {}


def register(check: Check) -> None:
    """Make a check known; call it when the application is loaded."""
    _checks[check.name] = check


def checks() -> dict[str, Check]:
    return dict(_checks)


def record(name: str, violations: int, message: str = "") -> None:
    """Note a run of the check `name`, which found so many violations; `message` names the first."""
    now = timezone.now()
    found = {"at": now, "violations": violations, "message": message}
    Inspection.objects.update_or_create(name=name, defaults=found if violations else found | {"succeeded_at": now})


def message_of(name: str) -> str:
    """What the last run of the check `name` found; empty where it found nothing, or there was none."""
    return Inspection.objects.filter(name=name).values_list("message", flat=True).first() or ""
