"""The actions of billing: each public function is one action in one transaction.

Start with `accounts` (open, revise, validate) and `bindings` (bind a project to its payer); `charges`, `holds`,
`suspensions` and `projects` hold the other actions on one object. `approvals` holds the actions that need a second
person. `usage` counts usage events, `notices` is the outbox of mail, `compliance` applies the rules of a country,
`retention` archives and purges closed accounts. `past`, `timeline`, `payment_schedules`, `continuity` and `unbound`
only read. `sealed` registers the tables that the ledger seals.

Every action takes its `actor` by keyword, authorizes it, locks projects before accounts, and writes through
`milo.audit`. API, admin, tasks and commands call these functions, so that no rule differs between them. The import
contracts in pyproject.toml say which service may import which.
"""
