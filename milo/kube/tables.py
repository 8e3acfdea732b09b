"""Manifests as rows of `kubectl get`: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone

from milo.kube.kinds import Column, Kind
from milo.kube.negotiation import Answer

NAME = Column("Name", lambda manifest: manifest["metadata"]["name"], "Name of the object.", format="name")
AGE = Column("Age", lambda manifest: manifest["metadata"]["creationTimestamp"], "Time since creation.", type="date")


def partial(manifest: dict[str, Any], version: str = "v1") -> dict[str, Any]:
    """The object's metadata alone."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": manifest["metadata"],
    }


_UNITS = (("y", 365 * 86400), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def age(since: str | None) -> str:
    """The time from an instant (RFC 3339) to now as kubectl shows it (`3d4h`), which expects the server to say it so."""
    if not since:
        return ""
    seconds = max(0, int((timezone.now() - datetime.fromisoformat(since)).total_seconds()))
    for position, (unit, length) in enumerate(_UNITS):
        whole, rest = divmod(seconds, length)
        # two units as long as the first alone would be coarse, as duration.HumanDuration of Kubernetes does
        if whole > 1 or (whole and unit != "y") or unit == "s":
            finer, size = _UNITS[position + 1] if position + 1 < len(_UNITS) else ("", 1)
            more = rest // size if finer and whole < 8 else 0
            return f"{whole}{unit}{more}{finer}" if more else f"{whole}{unit}"
    raise AssertionError("seconds are always shown")


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
    """A Table of `manifests`; `include` is the query parameter includeObject: None, Metadata or Object."""
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
    """One object in the shape that was asked for."""
    if answer.shape == "Table":
        metadata = {"resourceVersion": manifest["metadata"]["resourceVersion"]}
        return table(kind, [manifest], metadata, version=answer.version, include=include, header=header)
    return partial(manifest, answer.version) if answer.shape else manifest


def shape_list(
    kind: Kind, manifests: list[dict[str, Any]], metadata: dict[str, Any], answer: Answer, include: str
) -> dict[str, Any]:
    """A list in the shape that was asked for."""
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
