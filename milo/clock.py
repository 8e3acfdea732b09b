"""The clock of the ledger."""

from datetime import datetime, timedelta

from django.utils import timezone


def ledger_time(previous: datetime | None = None) -> datetime:
    """Return the current instant in UTC, at least 1 microsecond after `previous`.

    Call it only after locking the row whose timeline it extends: a clock read before the lock ran backwards in 11% of
    handovers (docs/traps.md).
    """
    now = timezone.now()
    if previous is None or now > previous:
        return now
    return previous + timedelta(microseconds=1)
