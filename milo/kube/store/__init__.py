"""Conversion between manifests and rows, and the change log that numbers every revision.

Start with `changes`, which writes a revision for each changed row of a transaction. `objects` decodes manifests and
`manifests` renders rows. `lists` pages through a kind as of one revision; `selectors` filters it. `patches`, `apply`
and `managers` compute what a write changes. Relies on `milo.audit`, which runs the journal before each commit.
"""
