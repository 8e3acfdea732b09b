"""ISO 8601 with the zone named: a ledger's instants must not be read in two ways."""

DATETIME_FORMAT = "Y-m-d H:i:s e"
DATE_FORMAT = "Y-m-d"
