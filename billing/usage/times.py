"""The range of times of usage, the same for intake, reports, assignments and verification."""

from datetime import UTC, date, datetime

# within these days, month and time zone arithmetic cannot overflow the calendar; LATEST is not included
EARLIEST, LATEST = date(1900, 1, 1), date(9000, 1, 1)
FIRST = datetime(EARLIEST.year, 1, 1, tzinfo=UTC)
END = datetime(LATEST.year, 1, 1, tzinfo=UTC)
