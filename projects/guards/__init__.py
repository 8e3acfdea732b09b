"""Guards of the tables of projects: what the database itself refuses, one module a table.

Each module yields the guards of its table, and `milo.append_only` installs them.
"""

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
