"""Usage events for tests, and a naive recount to compare the rollup with."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import count
from typing import Any

from django.utils import timezone

from billing.models import (
    AccountPayer,
    BillingAccountBinding,
    PayerCorrection,
    UsageAssignment,
    UsageClosing,
    UsageEvent,
    UsageIntake,
    UsageRollup,
)
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


Row = tuple[Decimal, int, int]
"""Quantity, events and withdrawn events of a sum."""


def rollup(**only: Any) -> dict[tuple[Any, ...], Row]:
    """Return quantity and numbers of events of every rollup row by its key."""
    rows = UsageRollup.objects.filter(**only)
    columns = ("account_id", "project_id", "meter_id", "granularity", "starts_on", "billed_in")
    values = ((row, tuple(getattr(row, name) for name in columns)) for row in rows)
    return {key: (row.quantity, row.events, row.withdrawn) for row, key in values}


def recount() -> dict[tuple[Any, ...], Row]:
    """Compute what the rollup should hold, event by event in Python, as a ledger that reverses and records."""
    sums: dict[tuple[Any, ...], Row] = defaultdict(lambda: (Decimal(0), 0, 0))
    closings = list(UsageClosing.objects.all())
    arrivals, invoiced = UsageIntake.objects.in_bulk(), list(AccountPayer.objects.all())
    corrections = list(PayerCorrection.objects.order_by("recorded_at"))
    for event in UsageEvent.objects.all():
        day = event.time.astimezone(UTC).date()
        month = day.replace(day=1)
        net: dict[tuple[Any, date], int] = defaultdict(int)
        for sign, payer, at in _entries(event, arrivals[event.intake_id].received_at, corrections):
            closer = next((row.payer_id for row in invoiced if row.account_id == payer and _covers(row, month)), payer)
            opened = [c.opens_on for c in closings if c.account_id == closer and c.closed_at < at]
            net[payer, max([month, *opened])] += sign
        for (payer, billed), sign in net.items():
            assert sign in (-1, 0, 1)
            for granularity, starts_on in (("day", day), ("month", month)) if sign else ():
                key = (payer, event.project_id, event.meter_id, granularity, starts_on, billed)
                quantity, events, withdrawn = sums[key]
                signed = event.quantity if sign > 0 else EXACT.minus(event.quantity)
                sums[key] = EXACT.add(quantity, signed), events + (sign > 0), withdrawn + (sign < 0)
    return dict(sums)


def _covers(row: AccountPayer, month: date) -> bool:
    return row.from_month <= month and (row.until_month is None or month < row.until_month)


def _entries(
    event: UsageEvent, arrived: datetime, corrections: Iterable[PayerCorrection]
) -> list[tuple[int, int | None, datetime]]:
    """Return what a ledger says of an event: sign, payer, and since when."""
    payer, since = _payer(event, arrived)
    entries = [(1, payer, since)]
    for span in corrections:
        if span.project_id == event.project_id and span.starts_at <= event.time < span.ends_at:
            if span.recorded_at < since:
                entries = [(1, span.account_id, since)]
            else:
                entries += [(-1, entries[-1][1], span.recorded_at), (1, span.account_id, span.recorded_at)]
    return entries


def _payer(event: UsageEvent, arrived: datetime) -> tuple[int | None, datetime]:
    """Return the account that a binding or an assignment names for an event, and since when it is known to pay."""
    payers = []
    for binding in BillingAccountBinding.objects.filter(project=event.project_id):
        if binding.established_at <= event.time < (binding.ended_at or datetime.max.replace(tzinfo=UTC)):
            payers.append(binding.account_id)
    for span in UsageAssignment.objects.filter(project=event.project_id):
        if span.starts_at <= event.time < span.ends_at and not payers:
            payers.append(span.account_id)
            arrived = max(arrived, span.assigned_at)
    assert len(payers) <= 1, "an event has one payer or none"
    return (payers[0] if payers else None), arrived


def assert_rollup_is_a_recount() -> None:
    assert rollup() == recount()


def paid(rows: Iterable[Any], account: Any) -> Decimal:
    """Return the total quantity of an account (None: unattributed) in the month rows of a rollup."""
    pk = account.pk if account else None
    return reduce(
        EXACT.add, (row[0] for key, row in dict(rows).items() if key[0] == pk and key[3] == "month"), Decimal(0)
    )


MINUTE = timedelta(minutes=1)
