"""Tables for `kubectl get`: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone

from milo.kube.kinds import Column, Kind
from milo.kube.wire.negotiation import Answer

NAME = Column("Name", lambda manifest: manifest["metadata"]["name"], "Name of the object.", format="name")
AGE = Column("Age", lambda manifest: manifest["metadata"]["creationTimestamp"], "Time since creation.", type="date")


def partial(manifest: dict[str, Any], version: str = "v1") -> dict[str, Any]:
    """Return the PartialObjectMetadata of a manifest."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": manifest["metadata"],
    }


_DAY, _YEAR = 86400, 365 * 86400
_SCALES = (
    # upper bound in seconds, unit, seconds per unit, finer unit, seconds per finer unit
    (120, "s", 1, "", 1),
    (600, "m", 60, "s", 1),
    (3 * 3600, "m", 60, "", 1),
    (8 * 3600, "h", 3600, "m", 60),
    (2 * _DAY, "h", 3600, "", 1),
    (8 * _DAY, "d", _DAY, "h", 3600),
    (2 * _YEAR, "d", _DAY, "", 1),
    (8 * _YEAR, "y", _YEAR, "d", _DAY),
)


def age(since: str | None) -> str:
    """Return the time since an RFC 3339 instant in the format of kubectl (`5d3h`). kubectl leaves this to the server.

    https://pkg.go.dev/k8s.io/apimachinery/pkg/util/duration#HumanDuration
    """
    if not since:
        return ""
    seconds = max(0, int((timezone.now() - datetime.fromisoformat(since)).total_seconds()))
    for below, unit, length, finer, size in _SCALES:
        if seconds < below:
            more = seconds % length // size if finer else 0
            return f"{seconds // length}{unit}" + (f"{more}{finer}" if more else "")
    return f"{seconds // _YEAR}y"


def _cell(column: Column, manifest: dict[str, Any]) -> Any:
    value = column.cell(manifest)
    return age(value) if column.type == "date" else value


def _columns(kind: Kind) -> tuple[Column, ...]:
    return (NAME, *kind.columns, AGE)


def table(
    kind: Kind,
    manifests: Iterable[dict[str, Any]],
    metadata: dict[str, Any],
    *,
    version: str = "v1",
    include: str = "Metadata",
    header: bool = True,
) -> dict[str, Any]:
    """Return a Table of manifests. `include` is the query parameter includeObject: None, Metadata or Object."""
    columns = _columns(kind)
    definitions = [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description or column.name,
            "priority": int(column.wide),
        }
        for column in columns
    ]
    rows = []
    for manifest in manifests:
        row: dict[str, Any] = {"cells": [_cell(column, manifest) for column in columns]}
        if include != "None":
            row["object"] = manifest if include == "Object" else partial(manifest, version)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "columnDefinitions": definitions if header else None,
        "rows": rows,
    }


def shape_one(
    kind: Kind, manifest: dict[str, Any], answer: Answer, include: str, *, header: bool = True
) -> dict[str, Any]:
    """Return one object as Table, PartialObjectMetadata or manifest, as the client asked."""
    if answer.shape == "Table":
        metadata = {"resourceVersion": manifest["metadata"]["resourceVersion"]}
        return table(kind, [manifest], metadata, version=answer.version, include=include, header=header)
    return partial(manifest, answer.version) if answer.shape else manifest


def shape_list(
    kind: Kind, manifests: list[dict[str, Any]], metadata: dict[str, Any], answer: Answer, include: str
) -> dict[str, Any]:
    """Return a list as Table, PartialObjectMetadataList or list of manifests, as the client asked."""
    if answer.shape == "Table":
        return table(kind, manifests, metadata, version=answer.version, include=include)
    if answer.shape:
        items = [partial(manifest, answer.version) for manifest in manifests]
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": f"meta.k8s.io/{answer.version}",
            "metadata": metadata,
            "items": items,
        }
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": manifests}
