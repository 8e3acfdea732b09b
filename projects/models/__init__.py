"""Organizations, projects and memberships: columns, transitions and constraints."""

from projects.models.membership import Membership
from projects.models.organization import Organization
from projects.models.project import Project

__all__ = ["Membership", "Organization", "Project"]
