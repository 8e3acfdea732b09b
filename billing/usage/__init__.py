"""Usage without a database: events, quantities, units, and the rows of an export.

Start with `cloudevents`, which reads one event into a `Fact` of `facts`; `identifiers` finds card numbers in it,
`quantities`, `units` and `times` hold the forms of its values. `digests` makes the digest of an intake, `focus` and
`focus_units` the rows of a FOCUS export. Nothing here reads a clock, a setting or the database.
"""
