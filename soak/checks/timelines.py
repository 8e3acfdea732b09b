"""Who pays: one account at every instant from the first binding on, in time that goes forward."""

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Any

from soak.evidence import Evidence

HISTORIES = (
    "projects_historicalproject",
    "billing_historicalbillingaccount",
    "billing_historicalbillingaccountbinding",
    "billing_historicalsuspension",
    "billing_historicalapprovalrequest",
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
