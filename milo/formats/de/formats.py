"""Days as in German letters; instants with seconds and time zone, for those of the ledger must be unambiguous."""

DATETIME_FORMAT = "d.m.Y H:i:s e"
DATE_FORMAT = "d.m.Y"
YEAR_MONTH_FORMAT = "F Y"
MONTH_DAY_FORMAT = "d.m."
