"""Usage events for tests, and a naive recount to compare the rollup with."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import count
from typing import Any

from django.utils import timezone

from billing.models import BillingAccountBinding, UsageAssignment, UsageClosing, UsageEvent, UsageIntake, UsageRollup
from billing.services.usage.intake import Receipt, report
from billing.usage.quantities import EXACT
from milo.access import Actor

REPORTER = Actor("user:meter", frozenset({"usage-reporter"}))
_numbers = count(1)


def an_event(project: Any, quantity: str = "1", **event: Any) -> dict[str, Any]:
    """Return a usage event as a CloudEvent. `event` overrides attributes; `time` may be a datetime."""
    data = {"service": "compute", "meter": "cpu-time", "quantity": quantity, "unit": "s"} | event.pop("data", {})
    time = event.pop("time", None) or timezone.now()
    text = time.isoformat() if isinstance(time, datetime) else time
    context = {"id": f"event-{next(_numbers)}", "source": "//meter.example/1", "type": "io.milo.usage", "time": text}
    return {"specversion": "1.0", **context, "subject": f"projects/{project}", "data": data} | event


def a_correction(of: dict[str, Any], quantity: str, **event: Any) -> dict[str, Any]:
    """Return a correction: an event that adds `quantity` to that of the event `of`."""
    own = {"id": f"event-{next(_numbers)}"} | event
    corrects = {"source": of["source"], "id": of["id"]}
    return {**of, "data": {**of["data"], "quantity": quantity, "corrects": corrects}} | own


def taken(*events: Any, reporter: Actor = REPORTER) -> Receipt:
    """Report a batch, assert that every event is accepted, and return the receipt."""
    receipt = report(events, actor=reporter)
    assert (receipt.accepted, receipt.duplicates, receipt.rejections) == (len(events), 0, [])
    return receipt


def reasons(receipt: Receipt) -> dict[int, tuple[str, str]]:
    """Return (field, reason) of each rejected event by its index in the batch."""
    return {rejection.index: (rejection.cause.field, rejection.cause.reason) for rejection in receipt.rejections}


def rollup(**only: Any) -> dict[tuple[Any, ...], tuple[Decimal, int]]:
    """Return quantity and number of events of every rollup row by its key."""
    rows = UsageRollup.objects.filter(**only)
    columns = ("account_id", "project_id", "meter_id", "granularity", "starts_on", "billed_in")
    return {tuple(getattr(row, name) for name in columns): (row.quantity, row.events) for row in rows}


def recount() -> dict[tuple[Any, ...], tuple[Decimal, int]]:
    """Compute what the rollup should hold, event by event in Python."""
    bindings, assignments = list(BillingAccountBinding.objects.all()), list(UsageAssignment.objects.all())
    closings, arrivals = list(UsageClosing.objects.all()), UsageIntake.objects.in_bulk()
    sums: dict[tuple[Any, ...], tuple[Decimal, int]] = defaultdict(lambda: (Decimal(0), 0))
    for event in UsageEvent.objects.all():
        arrived, payers = arrivals[event.intake_id].received_at, []
        for binding in bindings:
            until = binding.ended_at or datetime.max.replace(tzinfo=UTC)
            if binding.project_id == event.project_id and binding.established_at <= event.time < until:
                payers.append(binding.account_id)
        for span in assignments:
            if span.project_id == event.project_id and span.starts_at <= event.time < span.ends_at and not payers:
                payers.append(span.account_id)
                arrived = max(arrived, span.assigned_at)
        assert len(payers) <= 1, "an event has one payer or none"
        payer = payers[0] if payers else None
        day = event.time.astimezone(UTC).date()
        month = day.replace(day=1)
        opened = [c.opens_on for c in closings if c.account_id == payer and c.closed_at < arrived]
        billed = max([month, *opened])
        for granularity, starts_on in (("day", day), ("month", month)):
            key = (payer, event.project_id, event.meter_id, granularity, starts_on, billed)
            quantity, events = sums[key]
            sums[key] = EXACT.add(quantity, event.quantity), events + 1
    return dict(sums)


def assert_rollup_is_a_recount() -> None:
    assert rollup() == recount()


def paid(rows: Iterable[Any], account: Any) -> Decimal:
    """Return the total quantity of an account (None: unattributed) in the month rows of a rollup."""
    pk = account.pk if account else None
    return reduce(
        EXACT.add, (row[0] for key, row in dict(rows).items() if key[0] == pk and key[3] == "month"), Decimal(0)
    )


MINUTE = timedelta(minutes=1)
