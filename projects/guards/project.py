"""Guards of projects."""

from collections.abc import Iterator

from milo.append_only import Guard, fixed_as_said, no_delete, no_replace
from projects.models import Project

TABLE = Project._meta.db_table


def guards() -> Iterator[Guard]:
    """Yield the guards of projects."""
    yield from fixed_as_said(Project)
    yield no_delete("project_never_deleted", TABLE)
    yield no_replace("project_never_replaced", TABLE, ["id"], ["uid"], ["name"])
