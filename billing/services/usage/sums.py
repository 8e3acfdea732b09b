"""Sum up usage: one SQL statement attributes each event to its payer and adds up, on both engines.

The statement of `counting` is the definition of who is billed for what, and when. The intake adds its result for the
new events, a change or a correction of the payer adds the difference between its results before and after, and
`manage.py usage verify` compares its result for all events with the rollup.
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

from billing.models import AccountPayer, BillingAccountBinding, PayerCorrection, UsageRollup
from billing.models.usage_rollup import DAY, MONTH
from billing.usage.quantities import EXACT

TABLE = UsageRollup._meta.db_table
CORRECTION, PAYER = PayerCorrection._meta.db_table, AccountPayer._meta.db_table
ASSIGNMENT, CLOSING, EVENT, INTAKE = (f"billing_usage{noun}" for noun in ("assignment", "closing", "event", "intake"))
COLUMNS = "account_id, project_id, meter_id, granularity, starts_on, billed_in, quantity, events, withdrawn"
ORDER = "project_id, granularity, starts_on, meter_id, billed_in, account_id"


@dataclass(frozen=True, slots=True)
class SumKey:
    """The key of a sum; without an account it belongs to the unassigned queue.

    `starts_on` is the day or the first of the month (UTC), `billed_in` the first of the month of the bill.
    """

    account_id: int | None
    project_id: int
    meter_id: int
    granularity: str
    starts_on: date
    billed_in: date

    @property
    def order(self) -> tuple[Any, ...]:
        """Return the sort key by which every batch locks rows that it shares with others; the same order as `ORDER`."""
        account = sys.maxsize if self.account_id is None else self.account_id
        return self.project_id, self.granularity, self.starts_on, self.meter_id, self.billed_in, account


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity, the number of its events, and of those that were withdrawn from it."""

    quantity: Decimal = Decimal(0)
    events: int = 0
    withdrawn: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        quantity = EXACT.add(self.quantity, other.quantity)
        return Amount(quantity, self.events + other.events, self.withdrawn + other.withdrawn)

    def __sub__(self, other: "Amount") -> "Amount":
        quantity = EXACT.subtract(self.quantity, other.quantity)
        return Amount(quantity, self.events - other.events, self.withdrawn - other.withdrawn)

    def __bool__(self) -> bool:
        return bool(self.quantity or self.events or self.withdrawn)


Sums = Mapping[SumKey, Amount]
NOTHING = Amount()


@dataclass(frozen=True, slots=True)
class _Dialect:
    day: str
    day_of_zone: str
    month: str
    add_up: str
    add: str
    negated: str


_DIALECTS = {
    "postgresql": _Dialect(
        "(e.time AT TIME ZONE 'UTC')::date",
        "(e.time AT TIME ZONE %s)::date",
        "date_trunc('month', e.time AT TIME ZONE 'UTC')::date",
        "SUM",
        f"{TABLE}.quantity + excluded.quantity",
        "-quantity",
    ),
    "sqlite": _Dialect(
        "substr(e.time, 1, 10)",
        "django_datetime_cast_date(e.time, %s, 'UTC')",
        "substr(e.time, 1, 7) || '-01'",
        "exact_sum",
        f"exact_add({TABLE}.quantity, excluded.quantity)",
        "exact_negate(quantity)",
    ),
}


def add_up() -> str:
    """Return the SQL aggregate that sums quantities without rounding."""
    return _DIALECTS[connection.vendor].add_up


@cache
def _payer() -> str:
    """Return the SQL of the payer at `e.time`, made of the queryset `paying`, so that "who pays" is defined once."""
    at: Any = RawSQL("e.time", ())
    paying = BillingAccountBinding.objects.paying(at).filter(project_id=RawSQL("e.project_id", ()))
    # at most one row; newest first, or the index scan would compare each event with all earlier payers
    return str(paying.order_by("-established_at").values("account_id")[:1].query)


@cache
def counting(source: str, *, of_zone: bool = False) -> str:
    """Return the statement that sums `source`: SQL of a table with project_id, meter_id, time, quantity, arrived_at.

    1. `attributed`: the payer is the account of the binding in force at the time of the event, else that of an
       assignment, else none. An assigned event arrives with its assignment, if that is later. Where the project has
       corrections of its payer, `stretch` is the last instant until then at which one began or ended: the corrections
       that cover the one cover the other, and so all events of a stretch.
    2. `arrived`: sums by day, arrival and stretch, so that the steps after it are taken once for each of them, not for
       each event.
    3. `entered`: as in a ledger, usage counts for its payer by the corrections that were recorded when it arrived, and
       each later correction takes it from the payer before (-1) and gives it to its own (1), at `since`.
    4. `billed`: what was entered after its month was closed is billed in the first month that was open then. Months are
       those of who is payer of record of the account in the month of the usage.
    5. `netted`: entries of one bill that cancel each other go, so that a correction that was corrected leaves nothing.
       Of those that remain `net` is 1, or -1 for usage that was withdrawn from the bill after that of its month.
    6. The result holds one row for each day, and one for each month.

    With `of_zone` the first parameter is the IANA time zone of the days; months stay those of UTC. MATERIALIZED makes
    PostgreSQL compute each step once, and its subquery once for each row.
    """
    dialect = _DIALECTS[connection.vendor]
    day = dialect.day_of_zone if of_zone else dialect.day
    return f"""
WITH attributed AS MATERIALIZED (
    SELECT e.project_id, e.meter_id, e.quantity, {day} AS day, {dialect.month} AS month,
        COALESCE(({_payer()}), a.account_id) AS account_id,
        CASE WHEN a.assigned_at > e.arrived_at THEN a.assigned_at ELSE e.arrived_at END AS arrived_at,
        CASE WHEN e.project_id IN (SELECT project_id FROM {CORRECTION}) THEN ({_STRETCH}) END AS stretch
    FROM ({source}) e LEFT JOIN {ASSIGNMENT} a
        ON a.project_id = e.project_id AND a.starts_at <= e.time AND a.ends_at > e.time
), arrived AS MATERIALIZED (
    SELECT account_id, project_id, meter_id, day, month, arrived_at, stretch,
        {dialect.add_up}(quantity) AS quantity, COUNT(*) AS events, ROW_NUMBER() OVER () AS number
    FROM attributed GROUP BY account_id, project_id, meter_id, day, month, arrived_at, stretch
), entered AS MATERIALIZED (
    SELECT {_SUMMED}, x.arrived_at AS since, 1 AS net, CASE WHEN x.stretch IS NULL THEN x.account_id
            ELSE COALESCE(({_corrected("x.arrived_at")}), x.account_id) END AS account_id
    FROM arrived x
    UNION ALL
    SELECT {_SUMMED}, c.recorded_at, -1, COALESCE(({_corrected("c.recorded_at")}), x.account_id)
    FROM arrived x JOIN {CORRECTION} c ON {_covers("c")} AND c.recorded_at > x.arrived_at
    UNION ALL
    SELECT {_SUMMED}, c.recorded_at, 1, c.account_id
    FROM arrived x JOIN {CORRECTION} c ON {_covers("c")} AND c.recorded_at > x.arrived_at
), billed AS MATERIALIZED (
    SELECT {_SUMMED}, x.account_id, x.net,
        COALESCE((SELECT MAX(c.opens_on) FROM {CLOSING} c WHERE c.account_id = {_INVOICED}
            AND c.closed_at < x.since AND c.opens_on > x.month), x.month) AS billed_in
    FROM entered x
), netted AS MATERIALIZED (
    SELECT {_SUMMED}, x.account_id, x.billed_in, x.net FROM billed x WHERE x.stretch IS NULL
    UNION ALL
    SELECT {_SUMMED}, x.account_id, x.billed_in, SUM(x.net)
    FROM billed x WHERE x.stretch IS NOT NULL GROUP BY {_SUMMED}, x.account_id, x.billed_in HAVING SUM(x.net) <> 0
)
{_result(DAY, "day")}
UNION ALL
{_result(MONTH, "month")}"""


# the columns of a sum of `arrived` that all later steps hand on
_SUMMED = "x.number, x.project_id, x.meter_id, x.day, x.month, x.quantity, x.events, x.stretch"
_STRETCH = (
    f"SELECT MAX(CASE WHEN c.ends_at <= e.time THEN c.ends_at ELSE c.starts_at END) FROM {CORRECTION} c"
    " WHERE c.project_id = e.project_id AND c.starts_at <= e.time"
)


# by the flat table: that of nobody but itself has no row
_INVOICED = (
    f"COALESCE((SELECT p.payer_id FROM {PAYER} p WHERE p.account_id = x.account_id AND p.from_month <= x.month"
    " AND (p.until_month IS NULL OR p.until_month > x.month)), x.account_id)"
)


def _covers(correction: str) -> str:
    """Return the SQL condition that a correction covers the stretch of the sum `x`."""
    begun = f"{correction}.project_id = x.project_id AND {correction}.starts_at <= x.stretch"
    return f"{begun} AND {correction}.ends_at > x.stretch"


def _corrected(instant: str) -> str:
    """Return the SQL of the account that the corrections of the stretch of `x` named before an instant, if any did."""
    was = f"SELECT k.account_id FROM {CORRECTION} k WHERE {_covers('k')} AND k.recorded_at < {instant}"
    return f"{was} ORDER BY k.recorded_at DESC LIMIT 1"


def _result(granularity: str, column: str) -> str:
    dialect = _DIALECTS[connection.vendor]
    return f"""
SELECT account_id, project_id, meter_id, '{granularity}' AS granularity, {column} AS starts_on, billed_in,
    {dialect.add_up}(CASE WHEN net > 0 THEN quantity ELSE {dialect.negated} END) AS quantity,
    SUM(CASE WHEN net > 0 THEN events ELSE 0 END) AS events, SUM(CASE WHEN net < 0 THEN events ELSE 0 END) AS withdrawn
FROM netted GROUP BY account_id, project_id, meter_id, {column}, billed_in"""


def _on_conflict() -> str:
    return (
        "ON CONFLICT (project_id, granularity, starts_on, meter_id, billed_in, COALESCE(account_id, 0)) DO UPDATE"
        f" SET quantity = {_DIALECTS[connection.vendor].add}, events = {TABLE}.events + excluded.events,"
        f" withdrawn = {TABLE}.withdrawn + excluded.withdrawn"
    )


def add_counted(source: str, parameters: Sequence[Any] = ()) -> None:
    """Add the result of `counting(source)` to the rollup. Sorted, so that two batches cannot deadlock."""
    statement = f"INSERT INTO {TABLE} ({COLUMNS}) SELECT {COLUMNS} FROM ({counting(source)}) counted WHERE TRUE"
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} ORDER BY {ORDER} {_on_conflict()}", parameters)


def recorded(where: str) -> str:
    """Return the recorded events that meet the SQL condition `where` on the alias `v`, as a source for `counting`."""
    return (
        f"SELECT v.project_id, v.meter_id, v.time, v.quantity, i.received_at AS arrived_at"
        f" FROM {EVENT} v JOIN {INTAKE} i ON i.id = v.intake_id WHERE {where}"
    )


def counted(where: str, parameters: Sequence[Any], *, zone: str = "") -> dict[SumKey, Amount]:
    """Return the sums of the recorded events that meet `where`, a SQL condition on the alias `v`.

    Days are those of `zone`, an IANA time zone, by default UTC.
    """
    values = [zone, *parameters] if zone else parameters
    with connection.cursor() as cursor:
        cursor.execute(counting(recorded(where), of_zone=bool(zone)), values)
        return {_of(*row[:6]): Amount(Decimal(row[6]), int(row[7]), int(row[8])) for row in cursor.fetchall()}


def _of(
    account_id: int | None, project_id: int, meter_id: int, granularity: str, starts_on: Any, billed_in: Any
) -> SumKey:
    return SumKey(account_id, project_id, meter_id, granularity, _day(starts_on), _day(billed_in))


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def difference(now: Sums, was: Sums) -> dict[SumKey, Amount]:
    """Return what has to be added to the sums `was` to get the sums `now`; without zeros."""
    changes = {of: now.get(of, NOTHING) - was.get(of, NOTHING) for of in now.keys() | was.keys()}
    return {of: amount for of, amount in changes.items() if amount}


def add(sums: Sums) -> None:
    """Add `sums` to the rollup, and delete rows that are left without an event, counted or withdrawn."""
    if not sums:
        return
    quantity = UsageRollup._meta.get_field("quantity")
    rows = [
        (
            *(of.account_id, of.project_id, of.meter_id, of.granularity, str(of.starts_on), str(of.billed_in)),
            quantity.get_db_prep_save(amount.quantity, connection),
            amount.events,
            amount.withdrawn,
        )
        for of, amount in sorted(sums.items(), key=lambda item: item[0].order)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {TABLE} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) {_on_conflict()}", rows
        )
    UsageRollup.objects.filter(project__in={of.project_id for of in sums}, events=0, withdrawn=0).delete()


def since(project_id: int, at: datetime) -> tuple[str, list[Any]]:
    """Return the SQL condition, and its parameters, for events of a project from the instant `at` (UTC) on."""
    return "v.project_id = %s AND v.time >= %s", [project_id, connection.ops.adapt_datetimefield_value(at)]


def since_of_all(projects: Mapping[datetime, Sequence[int]]) -> tuple[str, list[Any]]:
    """Return the SQL condition, and its parameters, for events of projects (primary keys) from their instants on."""
    parts, parameters = [], list[Any]()
    for at, keys in projects.items():
        parts.append(f"(v.project_id IN ({', '.join(['%s'] * len(keys))}) AND v.time >= %s)")
        parameters += [*keys, connection.ops.adapt_datetimefield_value(at)]
    return f"({' OR '.join(parts)})", parameters
