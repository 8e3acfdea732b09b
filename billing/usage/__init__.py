"""Usage as facts: CloudEvents, quantities and units. Pure: nothing in here reads a clock, a setting or the database."""
