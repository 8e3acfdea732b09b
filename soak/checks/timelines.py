"""Who pays: one account at every instant from the first binding on, in time that goes forward."""

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any, LiteralString

from soak.evidence import Evidence

INSTANTS: dict[str, tuple[LiteralString, str]] = {
    "bind": ("SELECT name AS key, established_at AS at FROM billing_billingaccountbinding", "name"),
    "suspend": ("SELECT message AS key, suspended_at AS at FROM billing_suspension", "token"),
    "request": ("SELECT name AS key, requested_at AS at FROM billing_approvalrequest", "name"),
    "approve": ("SELECT name AS key, decided_at AS at FROM billing_approvalrequest", "name"),
    "open": ("SELECT name AS key, created_at AS at FROM billing_billingaccount", "name"),
    "lock": ("SELECT reason AS key, locked_at AS at FROM billing_payerlock", "token"),
}
"""By action a statement of instants, and the word of the log that has their key."""
TOLERATED = 1.0
"""Seconds by which an instant may lie outside its request: one that comes after another is a microsecond later."""
HISTORIES = (
    "projects_historicalproject",
    "billing_historicalbillingaccount",
    "billing_historicalbillingaccountbinding",
    "billing_historicalsuspension",
    "billing_historicalapprovalrequest",
    "billing_historicalpayerchange",
    "billing_historicalpayerlock",
    "billing_historicalpayercorrection",
)


def one_payer(evidence: Evidence) -> Iterator[str]:
    """Look for overlaps, gaps and backward time between the bindings of each project, in the order of their numbers."""
    statement = """SELECT b.*, p.name AS project, p.phase AS project_phase FROM billing_billingaccountbinding b
        JOIN projects_project p ON p.id = b.project_id ORDER BY b.project_id, b.id"""
    for project, rows in groupby(evidence.query(statement), lambda row: row["project"]):
        line = list(rows)
        for row in line:
            if row["ended_at"] is not None and row["ended_at"] <= row["established_at"]:
                yield f"{project}: {row['name']} ends at {row['ended_at']}, before it begins"
        for before, after in pairwise(line):
            yield from _handover(project, before, after)
        yield from _last(project, line[-1])


def _handover(project: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    between = f"{project}: between {before['name']} and {after['name']}"
    if before["ended_at"] is None or before["ended_at"] > after["established_at"]:
        yield f"{between} is an overlap: {before['ended_at']} and {after['established_at']}"
    elif before["ended_at"] < after["established_at"]:
        yield f"{between} is a gap: {before['ended_at']} and {after['established_at']}"
    if after["established_at"] <= before["established_at"]:
        yield f"{between} time goes back: {before['established_at']} and {after['established_at']}"
    if after["supersedes_id"] != before["id"]:
        yield f"{between} is no handover: it supersedes {after['supersedes_id']}"


def _last(project: str, row: dict[str, Any]) -> Iterator[str]:
    is_archived = row["project_phase"] == "Archived"
    if is_archived != (row["ended_at"] is not None) or is_archived != (row["phase"] == "Ended"):
        yield f"{project} is {row['project_phase']}, and its last binding {row['name']} is {row['phase']}"


def goes_forward(evidence: Evidence) -> Iterator[str]:
    """Look for history rows of one object, and for revisions, that are earlier than those before them."""
    for table in HISTORIES:
        statement = f"""SELECT id, history_id, history_date, before FROM (
                SELECT id, history_id, history_date,
                    lag(history_date) OVER (PARTITION BY id ORDER BY history_id) AS before FROM {table}) line
            WHERE history_date <= before"""
        for row in evidence.query(statement):
            yield f"{table} {row['history_id']} of {row['id']} is at {row['history_date']}, after {row['before']}"
    statement = """SELECT resource_version, at, before FROM (SELECT resource_version, at,
        lag(at) OVER (ORDER BY resource_version) AS before FROM kube_change) line WHERE at < before"""
    for row in evidence.query(statement):
        yield f"revision {row['resource_version']} is at {row['at']}, and the one before at {row['before']}"


def closed_pays_nothing(evidence: Evidence) -> Iterator[str]:
    """Look for bindings in force while their account was closed, at present and at any instant of the history."""
    statement = """SELECT a.name AS account, b.name AS binding FROM billing_billingaccount a
            JOIN billing_billingaccountbinding b ON b.account_id = a.id
        WHERE a.phase IN ('Closed', 'Archived') AND b.ended_at IS NULL"""
    for row in evidence.query(statement):
        yield f"{row['account']} is closed, and {row['binding']} is active"
    statement = """WITH spans AS (SELECT id, phase, history_date AS since,
            lead(history_date) OVER (PARTITION BY id ORDER BY history_id) AS until
            FROM billing_historicalbillingaccount)
        SELECT b.name AS binding, s.since, s.until FROM spans s
            JOIN billing_billingaccountbinding b ON b.account_id = s.id
        WHERE s.phase IN ('Closed', 'Archived') AND b.established_at < COALESCE(s.until, 'infinity')
            AND COALESCE(b.ended_at, 'infinity') > s.since"""
    for row in evidence.query(statement):
        yield f"{row['binding']} was in force while its account was closed, {row['since']} to {row['until']}"


def instants_true(evidence: Evidence) -> Iterator[str]:
    """Look for instants that lie outside the request that made them: a process believed a clock that was wrong."""
    for action, (statement, key) in INSTANTS.items():
        instants = {row["key"]: row["at"].timestamp() for row in evidence.query(statement) if row["at"]}
        for record, acknowledged in evidence.of(action):
            at = instants.get(record[key])
            attempts = record["attempts"]
            if acknowledged and at and not attempts[0][2] - TOLERATED <= at <= attempts[-1][3] + TOLERATED:
                yield f"{action} {record[key]} is at {at:.3f}, and was asked for from {attempts[0][2]:.3f} on"
