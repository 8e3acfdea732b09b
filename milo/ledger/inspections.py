"""When the ledger was last checked, and what was found: one row a check, which metrics show."""

from django.utils import timezone

from milo.ledger.models import Inspection


def record(name: str, violations: int, message: str = "") -> None:
    """Note a run of the check `name`, which found so many violations; `message` names the first."""
    now = timezone.now()
    found = {"at": now, "violations": violations, "message": message}
    Inspection.objects.update_or_create(name=name, defaults=found if violations else found | {"succeeded_at": now})
