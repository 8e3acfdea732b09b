"""Sums of usage: which payer each event has, counted and added up by one statement that both engines share.

The statement is the definition. The intake adds what it gives for the events that have just arrived, a change of who
pays moves the difference that it makes, and `manage.py usage verify` compares it with what was added up.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from django.db import connection
from django.db.models.expressions import RawSQL

from billing.models import BillingAccountBinding, UsageRollup
from billing.models.usage_rollup import DAY, MONTH
from billing.usage.quantities import EXACT

TABLE = UsageRollup._meta.db_table
ASSIGNMENT, CLOSING, EVENT, INTAKE = (f"billing_usage{noun}" for noun in ("assignment", "closing", "event", "intake"))
COLUMNS = "account_id, project_id, meter_id, granularity, starts_on, billed_in, quantity, events"
ORDER = "project_id, granularity, starts_on, meter_id, billed_in, account_id"


@dataclass(frozen=True, slots=True)
class SumKey:
    """What a sum is of: without an account it is of the unassigned queue."""

    account_id: int | None
    project_id: int
    meter_id: int
    granularity: str
    starts_on: date
    billed_in: date

    @property
    def order(self) -> tuple[Any, ...]:
        """In this order every batch locks the sums that it shares with others; as `ORDER` says it in SQL."""
        account = sys.maxsize if self.account_id is None else self.account_id
        return self.project_id, self.granularity, self.starts_on, self.meter_id, self.billed_in, account


@dataclass(frozen=True, slots=True)
class Amount:
    """How much, in how many events."""

    quantity: Decimal = Decimal(0)
    events: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(EXACT.add(self.quantity, other.quantity), self.events + other.events)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(EXACT.subtract(self.quantity, other.quantity), self.events - other.events)

    def __bool__(self) -> bool:
        return bool(self.quantity or self.events)


Sums = Mapping[SumKey, Amount]
NOTHING = Amount()


@dataclass(frozen=True, slots=True)
class _Dialect:
    day: str
    day_of_zone: str
    month: str
    add_up: str
    add: str


_DIALECTS = {
    "postgresql": _Dialect(
        "(e.time AT TIME ZONE 'UTC')::date",
        "(e.time AT TIME ZONE %s)::date",
        "date_trunc('month', e.time AT TIME ZONE 'UTC')::date",
        "SUM",
        f"{TABLE}.quantity + excluded.quantity",
    ),
    "sqlite": _Dialect(
        "substr(e.time, 1, 10)",
        "django_datetime_cast_date(e.time, %s, 'UTC')",
        "substr(e.time, 1, 7) || '-01'",
        "exact_sum",
        f"exact_add({TABLE}.quantity, excluded.quantity)",
    ),
}


def add_up() -> str:
    """The aggregate that adds up quantities to the last digit."""
    return _DIALECTS[connection.vendor].add_up


@cache
def _payer() -> str:
    """The account that pays at `e.time`, as `paying` has it: there is one answer to "who pays"."""
    at: Any = RawSQL("e.time", ())
    paying = BillingAccountBinding.objects.paying(at).filter(project_id=RawSQL("e.project_id", ()))
    # there is one at most; the newest first, or each event would be compared with all earlier payers of its project
    return str(paying.order_by("-established_at").values("account_id")[:1].query)


@cache
def counting(source: str, *, of_zone: bool = False) -> str:
    """The statement that counts `source`: SQL of a table with project_id, meter_id, time, quantity and arrived_at.

    Who has no payer by a binding has one by an assignment, if any. What arrived after its month was closed is billed in
    the first month that was open then. With `of_zone` the first parameter is the time zone whose days are meant; months
    are those of UTC still.
    """
    dialect = _DIALECTS[connection.vendor]
    day = dialect.day_of_zone if of_zone else dialect.day
    return f"""
WITH attributed AS MATERIALIZED (
    SELECT e.project_id, e.meter_id, e.quantity, {day} AS day, {dialect.month} AS month,
        COALESCE(({_payer()}), a.account_id) AS account_id,
        CASE WHEN a.assigned_at > e.arrived_at THEN a.assigned_at ELSE e.arrived_at END AS arrived_at
    FROM ({source}) e LEFT JOIN {ASSIGNMENT} a
        ON a.project_id = e.project_id AND a.starts_at <= e.time AND a.ends_at > e.time
), arrived AS MATERIALIZED (
    SELECT account_id, project_id, meter_id, day, month, arrived_at,
        {dialect.add_up}(quantity) AS quantity, COUNT(*) AS events
    FROM attributed GROUP BY account_id, project_id, meter_id, day, month, arrived_at
), billed AS MATERIALIZED (
    SELECT x.account_id, x.project_id, x.meter_id, x.day, x.month, x.quantity, x.events,
        COALESCE((SELECT MAX(c.opens_on) FROM {CLOSING} c WHERE c.account_id = x.account_id
            AND c.closed_at < x.arrived_at AND c.opens_on > x.month), x.month) AS billed_in
    FROM arrived x
)
SELECT account_id, project_id, meter_id, '{DAY}' AS granularity, day AS starts_on, billed_in,
    {dialect.add_up}(quantity) AS quantity, SUM(events) AS events
FROM billed GROUP BY account_id, project_id, meter_id, day, billed_in
UNION ALL
SELECT account_id, project_id, meter_id, '{MONTH}' AS granularity, month AS starts_on, billed_in,
    {dialect.add_up}(quantity) AS quantity, SUM(events) AS events
FROM billed GROUP BY account_id, project_id, meter_id, month, billed_in"""


def _on_conflict() -> str:
    return (
        "ON CONFLICT (project_id, granularity, starts_on, meter_id, billed_in, COALESCE(account_id, 0)) DO UPDATE"
        f" SET quantity = {_DIALECTS[connection.vendor].add}, events = {TABLE}.events + excluded.events"
    )


def add_counted(source: str, parameters: Sequence[Any] = ()) -> None:
    """Add what `counting(source)` gives to the rollup, in one statement."""
    statement = f"INSERT INTO {TABLE} ({COLUMNS}) SELECT {COLUMNS} FROM ({counting(source)}) counted WHERE TRUE"
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} ORDER BY {ORDER} {_on_conflict()}", parameters)


def recorded(where: str) -> str:
    """A source for `counting`: the events that are kept and for which the condition `where` on `v` holds."""
    return (
        f"SELECT v.project_id, v.meter_id, v.time, v.quantity, i.received_at AS arrived_at"
        f" FROM {EVENT} v JOIN {INTAKE} i ON i.id = v.intake_id WHERE {where}"
    )


def counted(where: str, parameters: Sequence[Any], *, zone: str = "") -> dict[SumKey, Amount]:
    """The sums of the events for which `where` on `v` holds, counted from the events.

    Days are those of `zone`, an IANA name, where it is given, else of UTC.
    """
    given = [zone, *parameters] if zone else parameters
    with connection.cursor() as cursor:
        cursor.execute(counting(recorded(where), of_zone=bool(zone)), given)
        return {_of(*row[:6]): Amount(Decimal(row[6]), int(row[7])) for row in cursor.fetchall()}


def _of(
    account_id: int | None, project_id: int, meter_id: int, granularity: str, starts_on: Any, billed_in: Any
) -> SumKey:
    return SumKey(account_id, project_id, meter_id, granularity, _day(starts_on), _day(billed_in))


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def difference(now: Sums, was: Sums) -> dict[SumKey, Amount]:
    """What has to be added to the sums `was` to have those of `now`."""
    changes = {of: now.get(of, NOTHING) - was.get(of, NOTHING) for of in now.keys() | was.keys()}
    return {of: amount for of, amount in changes.items() if amount}


def add(sums: Sums) -> None:
    """Add `sums` to the rollup, and drop what is left without an event."""
    if not sums:
        return
    quantity = UsageRollup._meta.get_field("quantity")
    rows = [
        (
            *(of.account_id, of.project_id, of.meter_id, of.granularity, str(of.starts_on), str(of.billed_in)),
            quantity.get_db_prep_save(amount.quantity, connection),
            amount.events,
        )
        for of, amount in sorted(sums.items(), key=lambda item: item[0].order)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {TABLE} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) {_on_conflict()}", rows
        )
    UsageRollup.objects.filter(project__in={of.project_id for of in sums}, events=0).delete()


def since(project_id: int, at: datetime) -> tuple[str, list[Any]]:
    """The condition, with its parameters, for events of a project from the instant `at` (UTC) on."""
    return "v.project_id = %s AND v.time >= %s", [project_id, connection.ops.adapt_datetimefield_value(at)]
