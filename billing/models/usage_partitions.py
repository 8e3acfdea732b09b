"""Monthly partitions of the usage events, on PostgreSQL; SQLite has one table, which means the same."""

from datetime import date

from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "billing_usageevent"
DEFAULT = f"{TABLE}_default"
MONTHS_AHEAD = 3


def next_month(month: date) -> date:
    """The first day of the month after that of `month`."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def months_ahead(today: date) -> list[date]:
    """First days of the month of `today` (UTC) and of those after it that need a partition by now."""
    months = [today.replace(day=1)]
    while len(months) <= MONTHS_AHEAD:
        months.append(next_month(months[-1]))
    return months


def name(month: date) -> str:
    return f"{TABLE}_y{month:%Ym%m}"


def missing(connection: BaseDatabaseWrapper) -> list[date]:
    """Return the months from today (UTC, by the database's clock) on that lack a partition; none on SQLite."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'UTC')::date")
        (today,) = cursor.fetchone()
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(%s)", [TABLE])
        present = {row[0] for row in cursor.fetchall()}
    return [month for month in months_ahead(today) if name(month) not in present]


def make(connection: BaseDatabaseWrapper, month: date) -> None:
    """Make the partition of a month; intakes wait for the moment that it takes.

    The application owns no table, so a function of the database does it with the rights of the owner. It refuses
    months other than those of `months_ahead`, by the database's clock, with a `DataError`.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT make_usage_partition(%s)", [month])


def held_by_default(connection: BaseDatabaseWrapper, month: date) -> bool:
    """Whether events of the month went to the default partition, so that it cannot have its own any more."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT 1 FROM {DEFAULT} WHERE time >= %s AND time < %s)",
            [f"{month} 00:00:00+00", f"{next_month(month)} 00:00:00+00"],
        )
        row = cursor.fetchone()
    return bool(row and row[0])
