"""Objects at rest: manifests as rows, rows as manifests, and the change log that numbers every revision.

`objects` reads a manifest as it was sent, `manifests` renders a row, `changes` numbers what an act has changed, `lists`
pages through a kind as of one revision, and `managers`, `patches` and `apply` say what a write makes of an object.
"""
