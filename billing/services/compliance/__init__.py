"""Regional rules applied to accounts. The rules themselves are data and pure functions in `billing.compliance`.

Start with `rules`: which errors refuse a change of an account. `assessments` stores findings, and the expiry of the
payment profile, on the account. `drift` lists accounts that break the rules of another day, such as those of a new
version of the data.
"""
