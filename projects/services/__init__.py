"""Actions on organizations, projects and roles: each checks permission and input, locks, and writes one revision."""
