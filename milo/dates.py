"""Parse days and instants, each in one accepted form, that of RFC 3339; months; names of time zones."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import available_timezones

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,12})?(Z|[+-][0-9]{2}:[0-9]{2})", re.IGNORECASE
)


def parse_day(text: str) -> date:
    """Return the day of `text`, such as "2026-01-31". Raises ValueError for other forms, including week dates."""
    if not DAY.fullmatch(text):
        raise ValueError("must be a day such as 2026-01-31")
    return date.fromisoformat(text)


def parse_month(text: str) -> date:
    """Return the first day of the month of `text`, such as "2026-01". Raises ValueError for other forms."""
    return parse_day(f"{text}-01")


def midnight(day: date) -> datetime:
    """Return the first instant (UTC) of a day."""
    return datetime.combine(day, time(), UTC)


def end_of(day: date) -> datetime | None:
    """Return the first instant (UTC) after a day; None where the calendar ends."""
    try:
        return midnight(day) + timedelta(days=1)
    except OverflowError:
        return None


def first_of_month(at: datetime) -> date:
    """Return the first day of the month (UTC) of an instant."""
    return at.astimezone(UTC).date().replace(day=1)


def parse_instant(text: str) -> datetime:
    """Return the instant of `text`, such as "2026-01-31T12:00:00Z", in UTC. Digits below a microsecond are dropped.

    Raises ValueError for other forms, including an instant without offset.
    """
    if not INSTANT.fullmatch(text):
        raise ValueError("must be an instant such as 2026-01-31T12:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the calendar") from error


@cache
def time_zones() -> frozenset[str]:
    """Return the names of the IANA Time Zone Database. Found once: it takes opening the files of all zones."""
    # the server's own setting and a placeholder lie in the same folder
    return frozenset(available_timezones()) - {"localtime", "Factory"}
