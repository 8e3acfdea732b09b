"""Draw the instants of intakes, closings and assignments; late events are detected by comparing them.

Each is later than those it follows, whatever the clock says. Draw them under the locks of `locks`, because the clocks
of two machines differ.
"""

from datetime import datetime

from django.db.models import Max

from billing.models import UsageAssignment, UsageClosing, UsageIntake
from milo.clock import ledger_time


def _latest(*instants: datetime | None) -> datetime | None:
    return max((at for at in instants if at), default=None)


def _last_decision() -> datetime | None:
    closed = UsageClosing.objects.aggregate(at=Max("closed_at"))["at"]
    return _latest(closed, UsageAssignment.objects.aggregate(at=Max("assigned_at"))["at"])


def arrival() -> datetime:
    """Return the instant (UTC) of an intake: later than every closing and assignment."""
    return ledger_time(_last_decision())


def decision() -> datetime:
    """Return the instant (UTC) of a closing or an assignment: later than every other, and than every intake."""
    return ledger_time(_latest(_last_decision(), UsageIntake.objects.aggregate(at=Max("received_at"))["at"]))
