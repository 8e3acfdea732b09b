"""Staff pages of organizations, projects, roles and people. `billing.admin` extends those of the first two."""

from projects.admin import memberships, organizations, people, projects  # noqa: F401  registers the pages
