"""Regional rules at work: what the law of a country asks of an account, and when it comes to ask something else.

`rules` gathers the facts and asks `billing.compliance`, `assessments` writes what was found, `drift` finds accounts
that a new version of the data changes.
"""
