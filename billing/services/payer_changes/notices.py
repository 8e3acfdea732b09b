"""Queue notices about payer changes, to who created them and to the billing contacts of the new payer."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any
from uuid import uuid5

from django.contrib.auth.models import User

from billing.models import Notice, PayerChange, PayerChangeItem
from billing.services.notices import outbox


def queue_risk(change: PayerChange, days: int, immovable: int) -> int:
    """Queue a notice, `days` before the instant, that the plan will not take effect; return how many are new.

    `immovable` is how many projects cannot move, 0 where the new payer is why. Each is sent once for a milestone in
    days.
    """
    cause = uuid5(change.uid, f"{Notice.About.MOVE_AT_RISK}:{days}")
    context: dict[str, Any] = {"change": change.name, "immovable": immovable}
    context["at"] = f"{change.effective_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return outbox.queue_once(Notice.About.MOVE_AT_RISK, change.account, cause, _recipients(change), context)


def queue_failure(change: PayerChange, counts: Mapping[str, int]) -> None:
    """Queue a notice that projects of the change failed; each end of the change is told once."""
    assert change.finished_at
    cause = uuid5(change.uid, f"{Notice.About.MOVE_FAILED}:{change.finished_at.isoformat()}")
    context = {"change": change.name, "failed": counts[PayerChangeItem.Phase.FAILED], "total": sum(counts.values())}
    outbox.queue_once(Notice.About.MOVE_FAILED, change.account, cause, _recipients(change), context)


def _recipients(change: PayerChange) -> set[str]:
    creator = User.objects.filter(username=change.created_by.removeprefix("user:"), is_active=True).exclude(email="")
    return {*outbox.contacts_of(change.account), *creator.values_list("email", flat=True)}
