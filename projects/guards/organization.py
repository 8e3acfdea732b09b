"""Guards of organizations."""

from collections.abc import Iterator

from milo.append_only import Guard, fixed_as_said, no_delete, no_replace
from projects.models import Organization

TABLE = Organization._meta.db_table


def guards() -> Iterator[Guard]:
    """Yield the guards of organizations."""
    yield from fixed_as_said(Organization)
    yield no_delete("organization_never_deleted", TABLE)
    yield no_replace("organization_never_replaced", TABLE, ["id"], ["uid"], ["name"])
