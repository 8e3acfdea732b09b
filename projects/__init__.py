"""Organizations, projects, and the roles of people in organizations.

Start at `models` and `services`, the only code that writes; `api` and `admin` are the two ways in. It knows nothing of
billing: `billing.api.projects` and `billing.admin.projects` extend its kinds and pages. Relies on `milo`.
"""
