"""Answers of read subresources as tables: rows for CSV and for Table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from milo.kube.kinds import ReadSubresource

Rows = Iterable[Sequence[Any]]
ITEMS = "items"


def rows(subresource: ReadSubresource, value: dict[str, Any]) -> Rows:
    """Return the rows of an answer, column names first.

    Without a `table` function each of `items` is a row; an answer without `items` is one row. The columns are the
    fields of the response serializer.
    """
    if subresource.table:
        return subresource.table(value)
    fields = subresource.response().fields
    if ITEMS not in fields:
        return [list(fields), [_cell(value.get(name)) for name in fields]]
    columns = list(fields[ITEMS].child.fields)
    return [columns, *([_cell(item.get(name)) for name in columns] for item in value[ITEMS])]


def table(subresource: ReadSubresource, value: dict[str, Any], version: str) -> dict[str, Any]:
    """Return an answer as a Table of `meta.k8s.io`, in `version`."""
    names, *lines = rows(subresource, value)
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": value.get("metadata", {}),
        "columnDefinitions": [_definition(name, lines, index) for index, name in enumerate(names)],
        "rows": [{"cells": [_cell(cell) for cell in row]} for row in lines],
    }


def _definition(name: str, lines: Sequence[Sequence[Any]], index: int) -> dict[str, Any]:
    cells = [row[index] for row in lines]
    kind = "string"
    if cells and all(isinstance(cell, int) for cell in cells):
        kind = "boolean" if all(isinstance(cell, bool) for cell in cells) else "integer"
    return {"name": _title(name), "type": kind, "format": "", "description": name, "priority": 0}


def _title(name: str) -> str:
    """Return `establishedAt` as `Established At`, the style of kubectl columns. A capitalized name is unchanged."""
    if name[:1].isupper():
        return name
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in name)
    return spaced[:1].upper() + spaced[1:]


def _cell(value: Any) -> Any:
    """Return a scalar for a cell: "" for None, a comma-separated text for a list of texts, else JSON."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, list | Mapping):
        return orjson.dumps(value).decode()
    return value
