"""Guards of assignments of usage."""

from collections.abc import Iterator

from billing.models import UsageAssignment
from milo.append_only import Guard, as_written, postgresql_constraint, refuse

TABLE = UsageAssignment._meta.db_table


def guards() -> Iterator[Guard]:
    """Yield the guards of assignments: no usage is assigned to two accounts."""
    yield from as_written("usage_assignment", TABLE, ["id"], ["request_id"])
    yield refuse(
        "usage_assignment_given_once",
        TABLE,
        "INSERT",
        f"EXISTS (SELECT 1 FROM {TABLE} was WHERE was.project_id = NEW.project_id"
        " AND was.starts_at < NEW.ends_at AND was.ends_at > NEW.starts_at)",
        "usage of this span is assigned already",
    )
    # the correction says who pays already, and would hide the assignment
    yield refuse(
        "usage_assignment_not_corrected",
        TABLE,
        "INSERT",
        "EXISTS (SELECT 1 FROM billing_payercorrection c WHERE c.project_id = NEW.project_id"
        " AND c.starts_at < NEW.ends_at AND c.ends_at > NEW.starts_at)",
        "a correction says who pays for this span",
    )
    # two concurrent transactions do not see each other's rows, a constraint does
    yield postgresql_constraint(
        "usage_assignment_no_overlap",
        TABLE,
        "EXCLUDE USING gist (int8range(project_id, project_id, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&)",
    )
