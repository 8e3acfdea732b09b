"""Report usage of an account or of a project: sums by day, by month or over a whole span."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, reduce
from operator import or_
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import (
    BillingAccount,
    BillingAccountBinding,
    PayerCorrection,
    UsageAssignment,
    UsageMeter,
    UsageRollup,
)
from billing.models.quantity import ExactSum
from billing.models.subtree import InSubtree
from billing.models.usage_partitions import next_month
from billing.models.usage_rollup import DAY, MONTH
from billing.services.usage import sums
from billing.usage.times import EARLIEST, LATEST
from milo.compiled_queries import CompiledQuery, Param
from milo.errors import Cause, Invalid
from projects.models import Project

TOTAL = "total"
GRANULARITIES = (DAY, MONTH, TOTAL)
GROUPS = {"account": "account__name", "project": "project__name", "service": "meter__service", "meter": "meter__name"}
MAX_DAYS_OF_ZONE = 92
MAX_DAYS = 3 * 366
MAX_LINES = 50_000
_AT_ONCE = 1000
_OWNERS = {
    "account": Q(account=Param("key")),
    "project": Q(project=Param("key")),
    "subtree": Q(InSubtree("account", Param("key"), Param("month"))),
}


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """A span from the day `start` up to, not including, `end`; days are those of `zone`, an IANA time zone.

    `by` holds the keys of `GROUPS` to group by. Units are always separate.
    """

    start: date
    end: date
    granularity: str = TOTAL
    by: tuple[str, ...] = ()
    zone: str = "UTC"

    @classmethod
    def of_this_month(cls, zone: str = "UTC") -> "UsageQuery":
        """Return the query from the first of the month up to and including today, in `zone`, an IANA time zone."""
        today = timezone.now().astimezone(ZoneInfo(zone)).date()
        return cls(today.replace(day=1), today + timedelta(days=1), zone=zone)

    def check(self) -> None:
        """Raise `Invalid` for a span that is empty, too long, or outside the years of `billing.usage.times`."""
        days = (self.end - self.start).days
        causes = [] if days > 0 else [Cause("query.to", _("must be later than from"))]
        if self.start < EARLIEST or self.end > LATEST:
            message = _("must lie between %(earliest)s and %(latest)s")
            field = "query.from" if self.start < EARLIEST else "query.to"
            causes.append(Cause(field, message % {"earliest": EARLIEST, "latest": LATEST}))
        limit = MAX_DAYS if self.zone == "UTC" else MAX_DAYS_OF_ZONE
        if days > limit and (self.granularity == DAY or self.zone != "UTC"):
            message = _("may be at most %(limit)d days after from, for this granularity and time zone")
            causes.append(Cause("query.to", message % {"limit": limit}))
        if causes:
            raise Invalid.because(causes)


@dataclass(frozen=True, slots=True)
class Line:
    """A sum in one unit: `start` and `end` (not included) are days, `of` maps the groups to their names.

    `events` counts events less those that a correction of the payer withdrew; both may be below zero.
    """

    start: date
    end: date
    of: dict[str, str]
    unit: str
    quantity: Decimal
    events: int


@dataclass(frozen=True, slots=True)
class Subtree:
    """The account with the primary key `root`, and those below it in the month of the day `on` (UTC)."""

    root: int
    on: date


@dataclass(frozen=True, slots=True)
class Stretch:
    """Accounts, by their primary keys, and the days from `start` up to, not including, `end` (UTC) of their usage."""

    accounts: frozenset[int] | Subtree
    start: date
    end: date


def of_account(account: BillingAccount, query: UsageQuery) -> list[Line]:
    """Return the usage that `account` pays for. Raises `Invalid` if `check` does, or for too many sums."""
    query.check()
    if query.zone != "UTC":
        bound = BillingAccountBinding.objects.filter(account=account).values("project")
        assigned = UsageAssignment.objects.filter(account=account).values("project")
        corrected = PayerCorrection.objects.filter(account=account).values("project")
        owed = Q(pk__in=bound) | Q(pk__in=assigned) | Q(pk__in=corrected)
        projects = Project.objects.filter(owed).values_list("pk", flat=True)
        return _of_zone(query, list(projects), account)
    return _of_days(query, "account", account.pk)


def of_project(project: Project, query: UsageQuery) -> list[Line]:
    """Return the usage of `project`, for all payers. Raises `Invalid` if `check` does, or for too many sums."""
    query.check()
    if query.zone != "UTC":
        return _of_zone(query, [project.pk])
    return _of_days(query, "project", project.pk)


def of_accounts(query: UsageQuery, stretches: Iterable[Stretch]) -> list[Line]:
    """Return the usage of the accounts of all `stretches` together; each begins at that of the query or with a month.

    Raises `Invalid` as `of_account`, and for a time zone other than UTC: its days belong to two months of UTC.
    """
    query.check()
    if query.zone != "UTC":
        message = _("must be UTC for this scope: payers of record are those of months in UTC")
        raise Invalid.because([Cause("query.timeZone", message)])
    groups = tuple(name for name in GROUPS if name in query.by)
    totals: dict[tuple[Any, ...], sums.Amount] = defaultdict(sums.Amount)
    for stretch in stretches:
        for rows in _parts(stretch, query, groups):
            for row in rows:
                names = tuple(row[f"of_{name}"] or "" for name in groups)
                totals[row.get("on"), names, row["unit"]] += sums.Amount(row["amount"], row["counted"])
            _refuse_more(len(totals))
    lines = (
        Line(*_bounds(query, on), dict(zip(groups, names, strict=True)), unit, amount.quantity, amount.events)
        for (on, names, unit), amount in totals.items()
    )
    return sorted(lines, key=_order)


def _parts(stretch: Stretch, query: UsageQuery, groups: tuple[str, ...]) -> Iterator[Iterable[dict[str, Any]]]:
    """Yield the sums of so many accounts at a time as a statement may have parameters; a subtree has few."""
    within = replace(query, start=stretch.start, end=stretch.end)
    if isinstance(stretch.accounts, Subtree):
        yield _fetch("subtree", within, key=stretch.accounts.root, month=stretch.accounts.on)
        return
    keys, spans = sorted(stretch.accounts), _spans(within)
    for first in range(0, len(keys), _AT_ONCE):
        owned = Q(account__in=keys[first : first + _AT_ONCE])
        yield _counted(owned, query.granularity, groups, spans)[: MAX_LINES + 1]


def _fetch(owner: str, query: UsageQuery, **of: Any) -> list[dict[str, Any]]:
    """Return the sums of an `owner`, a key of `_OWNERS`, in the span of the query; `of` are the parameters of that."""
    groups, spans = tuple(name for name in GROUPS if name in query.by), _spans(query)
    days: dict[str, date] = {}
    for number, (_granularity, start, end) in enumerate(spans):
        days |= {f"a{number}": start, f"b{number}": end}
    granularities = tuple(granularity for granularity, _start, _end in spans)
    return _sums(owner, query.granularity, groups, granularities).fetch(**of, **days)


def _of_days(query: UsageQuery, owner: str, key: int) -> list[Line]:
    """Read the rollup of the `owner` (`account` or `project`) with the primary key `key`."""
    rows = _fetch(owner, query, key=key)
    _refuse_more(len(rows))
    return sorted(
        (
            Line(
                *_bounds(query, row.get("on")),
                {name: row[f"of_{name}"] or "" for name in GROUPS if name in query.by},
                row["unit"],
                row["amount"],
                row["counted"],
            )
            for row in rows
        ),
        key=_order,
    )


@cache
def _sums(
    owner: str, granularity: str, groups: tuple[str, ...], granularities: tuple[str, ...]
) -> CompiledQuery[dict[str, Any]]:
    """Return the compiled query of an owner's sums; span `n` has the n-th granularity, from the day `an` up to `bn`."""
    spans = [(of, Param(f"a{number}"), Param(f"b{number}")) for number, of in enumerate(granularities)]
    return CompiledQuery(lambda: _counted(_OWNERS[owner], granularity, groups, spans)[: MAX_LINES + 1])


def _counted(
    owned: Q, granularity: str, groups: tuple[str, ...], spans: Collection[tuple[str, Any, Any]]
) -> QuerySet[UsageRollup, dict[str, Any]]:
    """Return the sums of the rows `owned`, in the spans: their granularity, first and last day (not included)."""
    names = {f"of_{name}": F(GROUPS[name]) for name in groups}
    when = {DAY: F("starts_on"), MONTH: TruncMonth("starts_on")}.get(granularity)
    keys: dict[str, Any] = {**names, "unit": F("meter__unit"), **({"on": when} if when is not None else {})}
    days = (Q(granularity=of, starts_on__gte=start, starts_on__lt=end) for of, start, end in spans)
    rows: Any = UsageRollup.objects.filter(reduce(or_, days), owned).values(**keys)
    counted: QuerySet[UsageRollup, dict[str, Any]] = rows.annotate(
        amount=ExactSum("quantity"), counted=Sum(F("events") - F("withdrawn"))
    )
    return counted


def _spans(query: UsageQuery) -> list[tuple[str, date, date]]:
    """Return granularity, first and last day (not included) of the rollup rows that make up the span.

    Whole months are read from their own rows, so that a year costs 12 of them, and the days before and after by day.
    """
    first = query.start if query.start.day == 1 else next_month(query.start)
    last = query.end.replace(day=1)
    if query.granularity == DAY or first >= last:
        return [(DAY, query.start, query.end)]
    # without empty spans: PostgreSQL would read all days of the account to find no row for one
    spans = [(DAY, query.start, first), (MONTH, first, last), (DAY, last, query.end)]
    return [span for span in spans if span[1] < span[2]]


def _refuse_more(lines: int) -> None:
    """Raise `Invalid` above MAX_LINES: an answer is sorted and rendered in memory."""
    if lines > MAX_LINES:
        message = _("gives more than %(limit)d sums; tell less apart, or ask for a shorter span")
        raise Invalid.because([Cause("query.groupBy", message % {"limit": MAX_LINES})])


def _order(line: Line) -> tuple[Any, ...]:
    return line.start, tuple(line.of.values()), line.unit


def _bounds(query: UsageQuery, on: date | None) -> tuple[date, date]:
    """Return first and last day (not included) of a line, cut to the span of the query."""
    if on is None:
        return query.start, query.end
    end = on + timedelta(days=1) if query.granularity == DAY else next_month(on)
    return max(on, query.start), min(end, query.end)


def _of_zone(query: UsageQuery, projects: list[int], account: BillingAccount | None = None) -> list[Line]:
    """Count the events: the rollup has days in UTC only."""
    zone = ZoneInfo(query.zone)
    start, end = (
        connection.ops.adapt_datetimefield_value(datetime.combine(day, time.min, zone))
        for day in (query.start, query.end)
    )
    if not projects:
        return []
    marks = ", ".join(["%s"] * len(projects))
    where = f"v.project_id IN ({marks}) AND v.time >= %s AND v.time < %s"
    counted = sums.counted(where, [*projects, start, end], zone=query.zone)
    days = {
        of: amount
        for of, amount in counted.items()
        if of.granularity == DAY and (account is None or of.account_id == account.pk)
    }
    lines = sorted(_lines(query, days), key=_order)
    _refuse_more(len(lines))
    return lines


def _lines(query: UsageQuery, counted: sums.Sums) -> Iterator[Line]:
    meters = UsageMeter.objects.in_bulk({of.meter_id for of in counted})
    projects = dict(Project.objects.filter(pk__in={of.project_id for of in counted}).values_list("pk", "name"))
    payers = {of.account_id for of in counted if of.account_id}
    accounts = dict(BillingAccount.objects.filter(pk__in=payers).values_list("pk", "name"))
    totals: dict[tuple[Any, ...], sums.Amount] = defaultdict(sums.Amount)
    for of, amount in counted.items():
        meter = meters[of.meter_id]
        names = {
            "account": accounts.get(of.account_id or 0, ""),
            "project": projects[of.project_id],
            "service": meter.service,
            "meter": meter.name,
        }
        on = {DAY: of.starts_on, MONTH: of.starts_on.replace(day=1)}.get(query.granularity)
        totals[on, tuple((name, names[name]) for name in GROUPS if name in query.by), meter.unit] += amount
    for (on, groups, unit), amount in totals.items():
        yield Line(*_bounds(query, on), dict(groups), unit, amount.quantity, amount.events - amount.withdrawn)
