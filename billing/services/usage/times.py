"""Instants of usage, each later than what it follows: what arrived after a month was closed is told by them alone.

Taken once the locks of `locks` are held, because two machines' clocks differ.
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
    """The instant (UTC) at which an intake arrives: after every closing and assignment."""
    return ledger_time(_last_decision())


def decision() -> datetime:
    """The instant (UTC) of a closing or an assignment: after every other, and after every intake."""
    return ledger_time(_latest(_last_decision(), UsageIntake.objects.aggregate(at=Max("received_at"))["at"]))
