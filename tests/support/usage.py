"""Usage as tests report it, and the naive recount that every sum is compared with."""

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
    """A usage event as a CloudEvent; `data` and the other attributes may be given, `time` as an instant."""
    data = {"service": "compute", "meter": "cpu-time", "quantity": quantity, "unit": "s"} | event.pop("data", {})
    time = event.pop("time", None) or timezone.now()
    shown = time.isoformat() if isinstance(time, datetime) else time
    named = {"id": f"event-{next(_numbers)}", "source": "//meter.example/1", "type": "io.milo.usage", "time": shown}
    return {"specversion": "1.0", **named, "subject": f"projects/{project}", "data": data} | event


def a_correction(of: dict[str, Any], quantity: str, **event: Any) -> dict[str, Any]:
    """An event that adds `quantity` to what the event `of` reported."""
    own = {"id": f"event-{next(_numbers)}"} | event
    corrects = {"source": of["source"], "id": of["id"]}
    return {**of, "data": {**of["data"], "quantity": quantity, "corrects": corrects}} | own


def taken(*events: Any, reporter: Actor = REPORTER) -> Receipt:
    """The receipt of a batch of which every event must be accepted."""
    receipt = report(events, actor=reporter)
    assert (receipt.accepted, receipt.duplicates, receipt.rejections) == (len(events), 0, [])
    return receipt


def reasons(receipt: Receipt) -> dict[int, tuple[str, str]]:
    """The field and the reason of each rejected event, by its place in the batch."""
    return {rejection.index: (rejection.cause.field, rejection.cause.reason) for rejection in receipt.rejections}


def rollup(**only: Any) -> dict[tuple[Any, ...], tuple[Decimal, int]]:
    """Every row of the rollup by what it is of."""
    rows = UsageRollup.objects.filter(**only)
    columns = ("account_id", "project_id", "meter_id", "granularity", "starts_on", "billed_in")
    return {tuple(getattr(row, name) for name in columns): (row.quantity, row.events) for row in rows}


def recount() -> dict[tuple[Any, ...], tuple[Decimal, int]]:
    """What the rollup should be: every event by itself, without a line of SQL."""
    bindings, assignments = list(BillingAccountBinding.objects.all()), list(UsageAssignment.objects.all())
    closings, arrivals = list(UsageClosing.objects.all()), UsageIntake.objects.in_bulk()
    sums: dict[tuple[Any, ...], tuple[Decimal, int]] = defaultdict(lambda: (Decimal(0), 0))
    for event in UsageEvent.objects.all():
        arrived, payers = arrivals[event.intake_id].received_at, []
        for binding in bindings:
            until = binding.ended_at or datetime.max.replace(tzinfo=UTC)
            if binding.project_id == event.project_id and binding.established_at <= event.time < until:
                payers.append(binding.account_id)
        for given in assignments:
            if given.project_id == event.project_id and given.starts_at <= event.time < given.ends_at and not payers:
                payers.append(given.account_id)
                arrived = max(arrived, given.assigned_at)
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
    """The quantity that the account pays for, of the month rows of a rollup."""
    pk = account.pk if account else None
    return reduce(
        EXACT.add, (row[0] for key, row in dict(rows).items() if key[0] == pk and key[3] == "month"), Decimal(0)
    )


MINUTE = timedelta(minutes=1)
