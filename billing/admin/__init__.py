"""The staff site of billing: a page for each kind, with buttons that call the same services as the API.

Start at `accounts`, the richest page. A module `*_actions` holds actions (form, preview, call of the service), `*_form`
the fields of a part of the spec, `account_panels` and `usage` the tables and charts. `organizations` and `projects`
extend the pages of `projects.admin`. Permissions, pages and panels come from `milo.admin`; services alone write to the
database.
"""

from billing.admin import (  # noqa: F401  registers the pages, and the labels of reasons and texts
    accounts,
    affiliations,
    approvals,
    bindings,
    charges,
    holds,
    ledger_texts,
    notices,
    organizations,
    payer_changes,
    projects,
    reasons,
    suspensions,
)
