"""Rendering of rows as manifests: the parts that are the same for every kind."""

from datetime import UTC, datetime
from typing import Any

from milo.kube.kinds import Kind


def instant(at: datetime) -> str:
    """Return an instant as `metav1.Time`, RFC 3339 in UTC to the second: `2024-01-15T10:30:00Z`."""
    return _rfc3339(at, "seconds")


def precise_instant(at: datetime) -> str:
    """Return an instant as `metav1.MicroTime`, RFC 3339 in UTC to the microsecond.

    The bounds of the ledger's half-open intervals need this precision.
    """
    return _rfc3339(at, "microseconds")


def _rfc3339(at: datetime, timespec: str) -> str:
    # strftime of the C library writes the year 151 with three digits
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec)}Z"


def condition(
    kind: str, status: bool | None, at: datetime, reason: str, message: str, generation: int
) -> dict[str, Any]:
    """Return a `metav1.Condition`. A `status` of None is Unknown."""
    return {
        "type": kind,
        "status": "Unknown" if status is None else str(status),
        "observedGeneration": generation,
        "lastTransitionTime": instant(at),
        "reason": reason,
        "message": str(message),
    }


def without_empty(value: dict[str, Any]) -> dict[str, Any]:
    """Return the non-empty fields; False and 0 stay. Nothing is ever null (docs/kubernetes-api.md, "Shapes")."""
    return {key: item for key, item in value.items() if item is not None and item != "" and item != {} and item != []}


def render(kind: Kind, row: Any, resource_version: int | None = None) -> dict[str, Any]:
    """Return the manifest of `row`. `resource_version` defaults to the annotation of `with_revision`."""
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
