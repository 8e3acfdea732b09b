"""Guards of bindings: from the first binding on, a project has one payer at every instant."""

from collections.abc import Iterator

from billing.guards.sql import payer_locked
from billing.models import ApprovalRequest, BillingAccountBinding
from milo import clock
from milo.append_only import (
    Guard,
    fixed_as_said,
    no_delete,
    no_replace,
    postgresql_constraint,
    refuse,
    refuse_unless,
)
from projects.models import Project

TABLE = BillingAccountBinding._meta.db_table
_MINUTE = round(clock.TOLERANCE.total_seconds())
_HISTORY, _PROJECTS = BillingAccountBinding.history.model._meta.db_table, Project.history.model._meta.db_table
_PAIR = (
    "SELECT 1 FROM projects_project p CROSS JOIN billing_billingaccount a"
    " WHERE p.id = NEW.project_id AND a.id = NEW.account_id"
)
_OF_ONE_ORGANIZATION = (
    f"EXISTS ({_PAIR} AND p.organization_id = NEW.organization_id AND a.organization_id = NEW.organization_id)"
)
_READY = f"EXISTS ({_PAIR} AND p.phase = 'Active' AND a.phase = 'Ready')"
_STARTS_BEFORE_PREVIOUS_ENDED = (
    f"EXISTS (SELECT 1 FROM {TABLE} was WHERE was.project_id = NEW.project_id"
    " AND (was.ended_at IS NULL OR was.ended_at > NEW.established_at))"
)
_LEAVES_A_GAP = (
    f"NEW.supersedes_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {TABLE} was WHERE was.id = NEW.supersedes_id"
    " AND was.project_id = NEW.project_id AND was.phase = 'Superseded' AND was.ended_at = NEW.established_at)"
)
_OVERLAPS = (
    f"EXISTS (SELECT 1 FROM {TABLE} was WHERE was.project_id = NEW.project_id AND was.id <> NEW.id"
    " AND was.established_at < OLD.established_at AND (was.ended_at IS NULL OR was.ended_at > NEW.established_at))"
)
# the review of an approved request names the binding by its uid, which SQLite stores without hyphens
_DECIDED = (
    f"EXISTS (SELECT 1 FROM {ApprovalRequest._meta.db_table} r WHERE r.organization_id = NEW.organization_id"
    f" AND r.act = '{ApprovalRequest.Action.REDATE_BINDINGS.value}' AND r.phase = 'Approved'"
    """ AND REPLACE(CAST(r.reviewed AS TEXT), '-', '') LIKE '%"' || REPLACE(CAST(NEW.uid AS TEXT), '-', '') || '"%')"""
)
# a present start cannot move again, so the decision that names the binding is the one of this transaction
_REDATED = {
    vendor: f"OLD.{{0}} > {clock.in_sql(vendor)} AND {_DECIDED}"
    f" AND NEW.{{0}} BETWEEN {clock.in_sql(vendor, -2 * _MINUTE)} AND {clock.in_sql(vendor, _MINUTE)}"
    for vendor in ("sqlite", "postgresql")
}


def guards() -> Iterator[Guard]:
    """Yield the guards of bindings."""
    redated = {vendor: condition.format("established_at") for vendor, condition in _REDATED.items()}
    ended = {
        vendor: f"NEW.phase = OLD.phase AND NEW.end_reason = OLD.end_reason AND {condition.format('ended_at')}"
        for vendor, condition in _REDATED.items()
    }
    yield from fixed_as_said(BillingAccountBinding, unless={"binding_start_fixed": redated, "binding_end_fixed": ended})
    yield no_delete("binding_never_deleted", TABLE)
    yield no_replace("binding_never_replaced", TABLE, ["id"], ["uid"], ["organization_id", "name"], ["supersedes_id"])
    yield refuse(
        "binding_one_organization",
        TABLE,
        "INSERT",
        f"NOT {_OF_ONE_ORGANIZATION}",
        "project and account belong to different organizations",
    )
    yield refuse(
        "binding_needs_ready",
        TABLE,
        "INSERT",
        f"NOT {_READY}",
        "the project is not Active or the account not Ready",
    )
    yield from _while_locked()
    yield from _without_gap_or_overlap()
    yield from _not_ahead()


def _while_locked() -> Iterator[Guard]:
    # a bind that has not asked for the lock, or raw SQL: the payer of a locked project stays
    message = "the payer of the project is locked"
    yield refuse("binding_not_locked", TABLE, "INSERT", payer_locked("NEW.project_id"), message)
    ends = "(NEW.phase <> OLD.phase OR NEW.ended_at IS DISTINCT FROM OLD.ended_at)"
    yield refuse(
        "binding_not_ended_while_locked", TABLE, "UPDATE", f"{ends} AND {payer_locked('OLD.project_id')}", message
    )


def _without_gap_or_overlap() -> Iterator[Guard]:
    # bindings are appended only: no gap is filled afterwards
    yield refuse(
        "binding_follows_previous",
        TABLE,
        "INSERT",
        _STARTS_BEFORE_PREVIOUS_ENDED,
        "starts before the previous binding of the project ended",
    )
    # no instant without a payer between two payers, not by raw SQL either
    yield refuse(
        "binding_continues_superseded",
        TABLE,
        "INSERT",
        _LEAVES_A_GAP,
        "does not start where the binding that it supersedes ended",
    )
    # a redated binding begins where the one before it ends, which is redated first
    in_line = f"NOT ({_LEAVES_A_GAP}) AND NOT {_OVERLAPS}"
    yield refuse(
        "binding_start_in_line",
        TABLE,
        "UPDATE",
        "NEW.established_at IS DISTINCT FROM OLD.established_at",
        "does not start where the previous binding of the project ended",
        unless={"sqlite": in_line, "postgresql": in_line},
    )
    # int8range in place of =, which would need the extension btree_gist
    yield postgresql_constraint(
        "binding_no_overlap",
        TABLE,
        "EXCLUDE USING gist (int8range(project_id, project_id, '[]') WITH &&,"
        " tstzrange(established_at, ended_at) WITH &&)",
    )


def _not_ahead() -> Iterator[Guard]:
    # a web process with a wrong clock, or raw SQL: "who pays now" and "who is bound" would differ until then
    for event, instant in {"INSERT": "GREATEST(NEW.established_at, NEW.ended_at)", "UPDATE": "NEW.ended_at"}.items():
        changed = "NEW.ended_at IS DISTINCT FROM OLD.ended_at AND " if event == "UPDATE" else ""
        yield refuse_unless(
            f"binding_{'end' if changed else 'start'}{clock.GUARD}",
            TABLE,
            event,
            f"{changed}{clock.is_ahead(instant)}",
            _stands_at(instant),
            "is ahead of the clock of the database",
        )


def _stands_at(instant: str) -> str:
    """Return the condition that the project's timeline stands in the future already, where it only goes forward."""
    within = f"h.history_date <= {instant} AND h.history_date >= {instant} - interval '1 second'"
    return (
        f"EXISTS (SELECT 1 FROM {_HISTORY} h WHERE h.project_id = NEW.project_id AND {within})"
        f" OR EXISTS (SELECT 1 FROM {_PROJECTS} h WHERE h.id = NEW.project_id AND {within})"
    )
