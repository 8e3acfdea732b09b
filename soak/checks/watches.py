"""Watchers missed nothing: what each received is the change log of its kind, in its order."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from soak.evidence import Evidence
from soak.watchers import KINDS


def complete(evidence: Evidence) -> Iterator[str]:
    """Compare the events of each watcher with the revisions, by number, object and type."""
    received: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in evidence.watched:
        if "error" not in event:
            received[event["resource"]].append(event)
        elif not _is_away(event):
            yield f"the watch of {event['resource']} was answered: {event['error']}"
    statement = "SELECT resource_version, uid, type FROM kube_change WHERE resource = %s AND resource_version > 1"
    for resource in KINDS:
        there = {row["resource_version"]: (str(row["uid"]), row["type"]) for row in evidence.query(statement, resource)}
        got = {event["version"]: (event["uid"], event["type"]) for event in received[resource]}
        for version in sorted(there.keys() - got.keys()):
            yield f"the watcher of {resource} missed revision {version}: {there[version]}"
        for version in sorted(got.keys() - there.keys()):
            yield f"the watcher of {resource} got revision {version}, which is not there"
        for version in sorted(there.keys() & got.keys()):
            if there[version] != got[version]:
                yield f"revision {version} is {there[version]}, and its watcher got {got[version]}"
        versions = [event["version"] for event in received[resource]]
        if versions != sorted(set(versions)):
            yield f"the watcher of {resource} got revisions twice or in another order"


def _is_away(event: dict[str, Any]) -> bool:
    """Return whether the watch ended because the database was away, which is what it is to say then."""
    return "database" in event["error"].lower()
