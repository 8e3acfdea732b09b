from billing.admin import accounts, bindings, organizations, projects  # noqa: F401  registers the pages
