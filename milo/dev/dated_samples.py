"""Samples that depend on the day or on one another: `samples/moves`, `samples/hierarchy` and `samples/usage`.

Their files are in the order in which they happen, and what depends on the day is set here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from milo.dev.samples import Client, collection

PLANNED, FAILING, LOCKED = "newsletter-to-south", "intranet-to-south", "acme-intranet"
APPROVED = "wiki-was-south"
OVERDUE = "inv-retail"
UNPAID = "frontend-trial"
_SOON = timedelta(seconds=30)
_ENVELOPE = {"specversion": "1.0", "source": "//samples", "type": "io.milo.usage"}
_EVENTS = "/apis/usage.milo.io/v1alpha1/events"


def apply_dated(folder: Path, operator: Client, approver: Client, reporter: Client) -> Iterator[str]:
    """Create every missing object of `folder`, lock a payer, suspend who is overdue, and have a correction approved.

    What is outstanding comes from `reporter`. Yield a line for each refusal. What exists is not changed, because
    somebody may have worked with it since.
    """
    for path in sorted(folder.glob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            yield from _apply(manifest, operator, approver, reporter)


def _apply(manifest: dict[str, Any], operator: Client, approver: Client, reporter: Client) -> Iterator[str]:
    name, at = manifest["metadata"]["name"], collection(manifest)
    status, answer = operator.fetch("GET", f"{at}/{name}")
    if status == 404:
        author = reporter if manifest["kind"] == "Charge" else operator
        status, answer = author.fetch("POST", at, _dated(manifest, operator))
        if status == 201 and name == FAILING:
            status, answer = _lock(operator)
        if status == 201 and name == OVERDUE:
            status, answer = _suspend(manifest, operator)
        if status == 201 and name == APPROVED:
            status, answer = _approve(f"{at}/{name}", answer, approver)
    elif "defaultBillingAccountRef" in manifest["spec"] and answer["metadata"]["generation"] == 1:
        # nobody has worked with it: an account is the default only once it is there
        manifest["metadata"]["resourceVersion"] = answer["metadata"]["resourceVersion"]
        status, answer = operator.fetch("PUT", f"{at}/{name}", manifest)
    if status not in (200, 201):
        yield f"{manifest['kind']} {name}: {answer.get('message', status)}"


def _dated(manifest: dict[str, Any], operator: Client) -> dict[str, Any]:
    """Return a manifest with the instants of today in place of those of the file."""
    name, spec, now = manifest["metadata"]["name"], manifest["spec"], datetime.now(UTC)
    if name == PLANNED:
        month = (now.replace(day=1) + timedelta(days=32)).replace(day=1)
        spec["effectiveAt"] = f"{month:%Y-%m-%d}T00:00:00Z"
    elif name == FAILING:
        spec["effectiveAt"] = f"{now + _SOON:%Y-%m-%dT%H:%M:%SZ}"
    elif "effectiveFrom" in spec:
        spec["effectiveFrom"] = f"{now:%Y-%m}"
    elif "month" in spec:
        spec["month"] = f"{now:%Y-%m}"
    elif "project" in spec.get("proposal", {}):
        _status, project = operator.fetch("GET", f"{_projects()}/{spec['proposal']['project']}")
        since = project.get("status", {}).get("billingResponsibility", {}).get("establishedAt")
        spec["proposal"] |= {"since": since, "until": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}"}
    return manifest


def _lock(operator: Client) -> tuple[int, dict[str, Any]]:
    return operator.fetch("POST", f"{_projects()}/{LOCKED}/lockpayer", {"spec": {"reason": "regulated workload"}})


def _suspend(charge: dict[str, Any], operator: Client) -> tuple[int, dict[str, Any]]:
    account = {"name": charge["spec"]["billingAccountRef"]["name"], "namespace": charge["metadata"]["namespace"]}
    at = collection({"apiVersion": charge["apiVersion"], "kind": "BillingAccount", "metadata": account})
    spec = {"reasonCode": "PaymentPastDue", "message": f"{charge['spec']['externalId']} is unpaid"}
    return operator.fetch("POST", f"{at}/{account['name']}/suspend", {"spec": spec})


def _approve(address: str, request: dict[str, Any], approver: Client) -> tuple[int, dict[str, Any]]:
    spec = {"reviewedHash": request["status"]["reviewedHash"], "comment": "as the ticket says"}
    return approver.fetch("POST", f"{address}/approve", {"spec": spec})


def _projects() -> str:
    return collection({"apiVersion": "resources.milo.io/v1alpha1", "kind": "Project", "metadata": {}})


def report_usage(file: Path, operator: Client, reporter: Client) -> Iterator[str]:
    """Report the events of `file` as of when their projects were bound, and one of a day before there was a payer.

    Those that were reported before are duplicates. Yield a line for what is refused as a whole.
    """
    events = []
    for event in yaml.safe_load(file.read_text()):
        _status, project = operator.fetch("GET", f"{_projects()}/{event['subject'].removeprefix('projects/')}")
        since = project.get("status", {}).get("billingResponsibility", {}).get("establishedAt")
        if event["id"] == UNPAID and since:
            since = (datetime.fromisoformat(since) - timedelta(days=1)).isoformat()
        if since:
            events.append(
                {**event, "specversion": "1.0", "source": "//samples", "type": "io.milo.usage", "time": since}
            )
    status, answer = reporter.fetch("POST", _EVENTS, events, "application/cloudevents-batch+json")
    if status not in (200, 202):
        yield f"{file.name}: {answer.get('message', status)}"
