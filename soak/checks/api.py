"""The API says of each project and account what the database does."""

from collections.abc import Iterator
from typing import Any

from soak import people
from soak.clients import BILLING, RESOURCES
from soak.evidence import Evidence
from soak.http_client import Client

PAGE = 200


def agrees(evidence: Evidence) -> Iterator[str]:
    """Compare the payer of each project, and the phase of each account, in lists read page by page."""
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
