from projects.admin import memberships, organizations, projects  # noqa: F401  registers the pages
