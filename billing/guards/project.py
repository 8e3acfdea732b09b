"""The guard of billing on projects."""

from collections.abc import Iterator

from billing.guards.sql import still_paid_for
from milo.append_only import Guard, refuse
from projects.models import Project


def guards() -> Iterator[Guard]:
    """Yield the guard that refuses to archive a project with an active binding."""
    yield refuse(
        "project_archived_while_paid",
        Project._meta.db_table,
        "UPDATE",
        f"NEW.phase = 'Archived' AND {still_paid_for('project_id')}",
        "the project still has an active binding",
    )
