"""Payer changes take effect exactly as planned, and locked payers stay, however late the worker is."""

from collections.abc import Iterator
from typing import Any

from soak.evidence import Evidence

ITEMS = """SELECT c.name, c.phase AS change_phase, c.uid, o.name AS organization, i.phase, i.reason, i.effective_at,
        i.project_id, p.name AS project, c.account_id, a.name AS account, b.established_at, b.project_id AS bound,
        b.account_id AS payer,
        -- as they were at the instant, whenever that became a fact
        (SELECT h.phase FROM billing_historicalbillingaccount h WHERE h.id = a.id AND h.history_date <= i.effective_at
            ORDER BY h.history_id DESC LIMIT 1) AS account_phase,
        COALESCE((SELECT h.phase FROM billing_historicalbillingaccount h
            WHERE h.history_date <= i.effective_at AND h.id IN (SELECT f.parent_id
                FROM billing_billingaccountaffiliation f WHERE f.account_id = a.id AND f.payer = 'Parent'
                    AND f.activated_at <= i.effective_at AND (f.finished_at IS NULL OR f.finished_at > i.effective_at))
            ORDER BY h.history_id DESC LIMIT 1), 'Ready') AS payer_phase,
        EXISTS (SELECT 1 FROM billing_payerlock l WHERE l.project_id = p.id AND l.locked_at <= i.effective_at
            AND (l.unlocked_at IS NULL OR l.unlocked_at > i.effective_at)) AS is_locked
    FROM billing_payerchangeitem i JOIN billing_payerchange c ON c.id = i.change_id
        JOIN projects_organization o ON o.id = c.organization_id JOIN projects_project p ON p.id = i.project_id
        JOIN billing_billingaccount a ON a.id = c.account_id
        LEFT JOIN billing_billingaccountbinding b ON b.id = i.binding_id"""
PHASES = {
    "Completed": ({"Done"}, {"Done", "Cancelled"}),
    "PartlyCompleted": ({"Done", "Failed"}, {"Done", "Failed", "Cancelled"}),
    "Failed": ({"Failed"}, {"Failed", "Cancelled"}),
    "Cancelled": (set[str](), {"Done", "Failed", "Cancelled"}),
}
"""By the phase of a payer change those that its items have, and may have."""


def take_effect(evidence: Evidence) -> Iterator[str]:
    """Look for plans that are overdue, that moved otherwise than planned, or whose cancellation was not the end."""
    phases: dict[tuple[str, str], tuple[str, set[str]]] = {}
    for row in evidence.query(ITEMS):
        if fault := _fault(row):
            yield f"{row['project']} of {row['name']}, planned for {row['effective_at']}, {fault}"
        items = phases.setdefault((row["organization"], row["name"]), (row["change_phase"], set()))[1]
        items.add(row["phase"])
    for name, (phase, items) in phases.items():
        required, allowed = PHASES.get(phase, (set(), set[str]()))
        if not required <= items <= allowed:
            yield f"{name} is {phase}, and its projects are {sorted(items)}"
    for record, acknowledged in evidence.of("cancel"):
        change_phase = phases.get((record["organization"], record["name"]), ("missing", set()))[0]
        if acknowledged and change_phase != "Cancelled":
            yield f"the cancellation of {record['name']} was acknowledged, and it is {change_phase}"


def _fault(row: dict[str, Any]) -> str:
    """Return what is wrong with the outcome of an item, judged by the state of everything at its instant."""
    phases = row["account_phase"], row["payer_phase"]
    then = f"{row['account']} and its payer of record were {phases} then, and locked: {row['is_locked']}"
    was_ready = phases == ("Ready", "Ready")
    if row["phase"] == "Pending":
        return "is still pending"
    if row["phase"] == "Done":
        there = row["bound"], row["payer"], row["established_at"]
        if there != (row["project_id"], row["account_id"], row["effective_at"]):
            return f"is done, and project, payer and instant of its binding are {there}"
        if not was_ready or row["is_locked"]:
            return f"is done: {then}"
    is_ready = row["reason"] == "AccountNotReady" and was_ready
    is_open = row["reason"] == "PayerLocked" and not row["is_locked"]
    return f"failed by {row['reason']}: {then}" if is_ready or is_open else ""


def locked_stay(evidence: Evidence) -> Iterator[str]:
    """Look for bindings that begin, and projects that were archived, while the payer was locked."""
    statement = """SELECT p.name, l.locked_at, l.unlocked_at, b.name AS binding, b.established_at AS at
        FROM billing_payerlock l JOIN projects_project p ON p.id = l.project_id
            JOIN billing_billingaccountbinding b ON b.project_id = p.id
        WHERE b.established_at > l.locked_at AND b.established_at < COALESCE(l.unlocked_at, 'infinity')
            OR b.ended_at > l.locked_at AND b.ended_at < COALESCE(l.unlocked_at, 'infinity')"""
    for row in evidence.query(statement):
        said = f"{row['name']} was locked from {row['locked_at']} to {row['unlocked_at']}"
        yield f"{said}, and {row['binding']} began or ended"
