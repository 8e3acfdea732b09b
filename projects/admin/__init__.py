from projects.admin import memberships, organizations, people, projects  # noqa: F401  registers the pages
