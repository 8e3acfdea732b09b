from billing.admin import (  # noqa: F401  registers the pages
    accounts,
    approvals,
    bindings,
    charges,
    holds,
    notices,
    organizations,
    projects,
    suspensions,
)
