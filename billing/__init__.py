"""Billing accounts, and who pays for which project: the domain of Milo Billing Accounts.

Start at `models` (what is stored) and `services` (the only code that writes). `compliance`, `terms`, `payment_profile`
and `usage` are pure domain rules; `api` and `admin` are the two ways in; `guards` are triggers of the database; `tasks`
run in the background. Relies on `projects` (organizations, projects, roles) and on the library `milo`.
"""
