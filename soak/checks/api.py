"""The API says of each project and account what the database does."""

from collections.abc import Iterator
from typing import Any

from soak import people
from soak.actions import BILLING, RESOURCES
from soak.evidence import Evidence
from soak.http_client import Client

PAGE = 200


def agrees(evidence: Evidence) -> Iterator[str]:
    """Compare payers of projects and phases of accounts in lists, and who paid in each span that was corrected."""
    client, token = Client(evidence.milo.ports, lambda: True, 0), evidence.milo.tokens[people.AUDITOR]
    statement = """SELECT p.name, a.name AS account FROM projects_project p
        LEFT JOIN billing_billingaccountbinding b ON b.project_id = p.id AND b.ended_at IS NULL
        LEFT JOIN billing_billingaccount a ON a.id = b.account_id"""
    payers = {row["name"]: row["account"] for row in evidence.query(statement)}
    said = {
        item["metadata"]["name"]: item["status"].get("billingResponsibility", {}).get("account")
        for item in _items(client, f"{RESOURCES}/projects", token)
    }
    yield from _differences("the payer of project", payers, said)
    statement = """SELECT o.name || '/' || a.name AS name, a.phase FROM billing_billingaccount a
        JOIN projects_organization o ON o.id = a.organization_id"""
    phases = {row["name"]: row["phase"] for row in evidence.query(statement)}
    listed = {
        f"{item['metadata']['namespace']}/{item['metadata']['name']}": item["status"]["phase"]
        for item in _items(client, f"{BILLING}/billingaccounts", token)
    }
    yield from _differences("the phase of account", phases, listed)
    yield from _differences("who paid, by the correction,", *_corrected(evidence, client, token))


def _corrected(evidence: Evidence, client: Client, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return who paid at the beginning of each correction, by its request: the latest that covers it, and the API."""
    statement = """SELECT r.name, p.name AS project,
            to_char(c.starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
            (SELECT a.name FROM billing_payercorrection l JOIN billing_billingaccount a ON a.id = l.account_id
                WHERE l.project_id = c.project_id AND l.starts_at <= c.starts_at AND l.ends_at > c.starts_at
                ORDER BY l.recorded_at DESC LIMIT 1) AS account
        FROM billing_payercorrection c JOIN projects_project p ON p.id = c.project_id
            JOIN billing_approvalrequest r ON r.id = c.request_id"""
    there, said = {}, {}
    for row in evidence.query(statement):
        there[row["name"]] = row["account"]
        path = f"{RESOURCES}/projects/{row['project']}/billinghistory?at={row['at']}"
        said[row["name"]] = next((item["account"] for item in client.get(path, token).body.get("items", [])), None)
    return there, said


def _differences(what: str, there: dict[str, Any], said: dict[str, Any]) -> Iterator[str]:
    for name in sorted(there.keys() | said.keys()):
        if there.get(name) != said.get(name):
            yield f"{what} {name} is {there.get(name)}, and the API says {said.get(name)}"


def _items(client: Client, path: str, token: str) -> Iterator[dict[str, Any]]:
    following = ""
    while True:
        page = client.get(f"{path}?limit={PAGE}&continue={following}" if following else f"{path}?limit={PAGE}", token)
        yield from page.body.get("items", [])
        following = page.body.get("metadata", {}).get("continue", "")
        if not following:
            return
