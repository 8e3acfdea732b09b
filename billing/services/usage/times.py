"""Draw the instants of intakes, closings, assignments and corrections; late events are detected by comparing them.

Each is later than those it follows, whatever the clock says. Draw them under the locks of `locks`, because the clocks
of two machines differ.
"""

from datetime import datetime

from django.db.models import Max

from billing.models import PayerCorrection, UsageAssignment, UsageClosing, UsageIntake
from milo.clock import ledger_time


def _latest(*instants: datetime | None) -> datetime | None:
    return max((at for at in instants if at), default=None)


def _last_decision() -> datetime | None:
    closed = UsageClosing.objects.aggregate(at=Max("closed_at"))["at"]
    assigned = UsageAssignment.objects.aggregate(at=Max("assigned_at"))["at"]
    return _latest(closed, assigned, PayerCorrection.objects.aggregate(at=Max("recorded_at"))["at"])


def arrival() -> datetime:
    """Return the instant (UTC) of an intake: later than every closing, assignment and correction."""
    return ledger_time(_last_decision())


def decision() -> datetime:
    """Return the instant (UTC) of a closing or an assignment: later than every other, and than every intake."""
    return ledger_time(last())


def last() -> datetime | None:
    """Return the newest instant (UTC) of an intake, a closing, an assignment or a correction; None without any."""
    return _latest(_last_decision(), UsageIntake.objects.aggregate(at=Max("received_at"))["at"])
