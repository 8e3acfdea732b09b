"""Monthly partitions of usage events on PostgreSQL. SQLite has one table with the same meaning."""

from datetime import date

from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "billing_usageevent"
DEFAULT = f"{TABLE}_default"
MONTHS_AHEAD = 3


def next_month(month: date) -> date:
    """Return the first day of the month after that of `month`."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def months_ahead(today: date) -> list[date]:
    """Return the months, by their first days, that need a partition: that of `today` (UTC) and the next 3."""
    months = [today.replace(day=1)]
    while len(months) <= MONTHS_AHEAD:
        months.append(next_month(months[-1]))
    return months


def name(month: date) -> str:
    """Return the name of the partition of a month."""
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
    """Create the partition of a month. Intakes wait briefly for its lock.

    The application does not own the table, so a database function creates the partition with the rights of the owner.
    Raises `DataError` for months other than those of `months_ahead` by the database's clock.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT make_usage_partition(%s)", [month])


def held_by_default(connection: BaseDatabaseWrapper, month: date) -> bool:
    """Return whether the default partition holds events of the month: then it can get no partition of its own."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT 1 FROM {DEFAULT} WHERE time >= %s AND time < %s)",
            [f"{month} 00:00:00+00", f"{next_month(month)} 00:00:00+00"],
        )
        row = cursor.fetchone()
    return bool(row and row[0])
