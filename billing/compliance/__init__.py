"""Regional rules: dated data files, the loader that validates them, and the pure functions that read them.

`check.check(facts, platform, on)` gives the findings of one account, `check.drift(...)` those
of many; `preferences`, `retention` and `payment_methods` are what else the house uses.
Nothing in here reads a clock, a setting or the database.
"""
