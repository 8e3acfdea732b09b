"""Rows as manifests: the parts of an object that are the same for every kind."""

from datetime import UTC, datetime
from typing import Any

from milo.kube.kinds import Kind


def instant(at: datetime) -> str:
    """RFC 3339 in UTC to the second, as `metav1.Time`: `2024-01-15T10:30:00Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def precise_instant(at: datetime) -> str:
    """RFC 3339 in UTC to the microsecond, as `metav1.MicroTime`: the ledger's half-open intervals need it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def condition(
    kind: str, status: bool | None, at: datetime, reason: str, message: str, generation: int
) -> dict[str, Any]:
    """Return a `metav1.Condition`; its status is Unknown where `status` is None."""
    return {
        "type": kind,
        "status": "Unknown" if status is None else str(status),
        "observedGeneration": generation,
        "lastTransitionTime": instant(at),
        "reason": reason,
        "message": str(message),
    }


def without_empty(value: dict[str, Any]) -> dict[str, Any]:
    """Leave out empty fields: they are never null. False and 0 are values (docs/kubernetes-api.md, "Shapes")."""
    return {key: item for key, item in value.items() if item is not None and item != "" and item != {} and item != []}


def render(kind: Kind, row: Any, resource_version: int | None = None) -> dict[str, Any]:
    """The manifest of `row` at `resource_version` (default: the one annotated on the row)."""
    version = resource_version if resource_version is not None else row.resource_version
    metadata = {
        "name": row.name,
        "namespace": kind.namespace(row),
        "uid": str(row.uid),
        "resourceVersion": str(version),
        "generation": row.generation,
        "creationTimestamp": instant(row.created_at),
        "labels": dict(row.labels),
        "annotations": dict(row.annotations),
        "finalizers": list(row.finalizers),
        "ownerReferences": list(row.owner_references),
        "managedFields": list(row.managed_fields),
    }
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": without_empty(metadata),
        "spec": without_empty(kind.spec(row)),
        "status": without_empty(kind.status(row)),
    }
