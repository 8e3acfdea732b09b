"""The staff site: read-only pages of the ledger, and service actions that change it.

Start with `read_only.ReadOnlyAdmin`, the base of every page, and `actions.ServiceAction` (button, form, one service
call). `site` holds the site itself, `resources` actions that detect changes of others, `panels` and `reports` the
tables. The remaining modules are the pages of users, tokens, identities and sessions. Relies on `milo.access`, which
decides who sees and does what, and on django-unfold for the looks.
"""
