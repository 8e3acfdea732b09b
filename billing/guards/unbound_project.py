"""The triggers that keep the table of unbound projects, and the guards that refuse to write it otherwise."""

from collections.abc import Iterator
from dataclasses import replace

from billing.models import BillingAccountBinding, UnboundProject
from milo.append_only import Guard, derive, refuse
from milo.migrating.derived import Derived
from projects.models import Project

TABLE = UnboundProject._meta.db_table
PROJECT, BINDING = Project._meta.db_table, BillingAccountBinding._meta.db_table
KEPT = Derived(
    TABLE,
    ("project_id", "created_at"),
    PROJECT,
    f"SELECT p.id AS project_id, p.created_at FROM {PROJECT} p WHERE p.phase = 'Active'"
    f" AND NOT EXISTS (SELECT 1 FROM {BINDING} b WHERE b.project_id = p.id AND b.phase = 'Active')",
)
_UNBOUND = (
    f"EXISTS (SELECT 1 FROM ({KEPT.rows}) r WHERE r.project_id = {{0}}.project_id AND r.created_at = {{0}}.created_at)"
)


def guards() -> Iterator[Guard]:
    """Yield the triggers of projects and bindings, and the guards of the table."""
    yield derive(
        KEPT,
        "unbound_project_created",
        PROJECT,
        "INSERT",
        "NEW.phase = 'Active'",
        f"INSERT INTO {TABLE} (project_id, created_at) VALUES (NEW.id, NEW.created_at) ON CONFLICT DO NOTHING",
    )
    yield derive(
        KEPT,
        "unbound_project_archived",
        PROJECT,
        "UPDATE",
        "OLD.phase = 'Active' AND NEW.phase <> 'Active'",
        f"DELETE FROM {TABLE} WHERE project_id = NEW.id",
    )
    yield derive(
        KEPT,
        "unbound_project_bound",
        BINDING,
        "INSERT",
        "NEW.phase = 'Active'",
        f"DELETE FROM {TABLE} WHERE project_id = NEW.project_id",
    )
    # of a superseded binding too: nothing makes its successor come in the same transaction, which takes the row away
    yield derive(
        KEPT,
        "unbound_project_left",
        BINDING,
        "UPDATE",
        "OLD.phase = 'Active' AND NEW.phase <> 'Active'",
        f"INSERT INTO {TABLE} (project_id, created_at) SELECT p.id, p.created_at FROM {PROJECT} p"
        " WHERE p.id = NEW.project_id AND p.phase = 'Active' ON CONFLICT DO NOTHING",
    )
    yield from _of_the_table()


def _of_the_table() -> Iterator[Guard]:
    # triggers write with the rights of the owner, so the application's role needs none
    insert = refuse(
        "unbound_project_of_nobody",
        TABLE,
        "INSERT",
        f"NOT ({_UNBOUND.format('NEW')})",
        "somebody pays for the project, or it is archived",
    )
    yield replace(insert, forbids=frozenset({"INSERT"}))
    yield refuse("unbound_project_kept", TABLE, "DELETE", _UNBOUND.format("OLD"), "nobody pays for the project")
    yield refuse("unbound_project_never_changed", TABLE, "UPDATE", "TRUE", "rows stay as they were written")
