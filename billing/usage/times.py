"""The one range of times of usage: what is taken can be read, assigned and verified."""

from datetime import UTC, date, datetime

# days beyond which there are no months or time zones to reckon with; the latest is not included
EARLIEST, LATEST = date(1900, 1, 1), date(9000, 1, 1)
FIRST = datetime(EARLIEST.year, 1, 1, tzinfo=UTC)
END = datetime(LATEST.year, 1, 1, tzinfo=UTC)
