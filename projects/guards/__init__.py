"""What the database itself refuses of the tables of projects, a file for each; `milo.append_only` installs it."""

from milo import append_only
from projects.guards import membership, organization, project
from projects.models import Membership

__all__ = ["declare_guards"]


def declare_guards() -> None:
    """Declare the guards of every table of projects."""
    append_only.deletable(Membership._meta.db_table)
    append_only.declare(
        "projects", *(guard for table in (membership, organization, project) for guard in table.guards())
    )
