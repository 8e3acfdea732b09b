"""Regional rules: dated data files, the loader that validates them, and the pure functions that apply them.

Start at `check`: `check(facts, platform, on)` returns the findings of one account, `drift` the Errors of many.
`dataset` loads the files of `data/`, `rules` has a rule pack per subject; `preferences`, `retention` and
`payment_methods` also serve other packages. Nothing here reads a clock, a setting or the database: callers pass the
day and the facts.
"""
