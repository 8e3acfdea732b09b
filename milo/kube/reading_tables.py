"""Readings as tables: the rows of an answer, for CSV and for a Table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from milo.kube.kinds import ReadSubresource

Rows = Iterable[Sequence[Any]]
ITEMS = "items"


def rows(reading: ReadSubresource, value: dict[str, Any]) -> Rows:
    """Return the rows of an answer, the names of the columns first.

    A reading without a `table` of its own has a row for each of `items`, or one row where its answer has none. Its
    columns are the fields of the response.
    """
    if reading.table:
        return reading.table(value)
    fields = reading.response().fields
    if ITEMS not in fields:
        return [list(fields), [_cell(value.get(name)) for name in fields]]
    columns = list(fields[ITEMS].child.fields)
    return [columns, *([_cell(item.get(name)) for name in columns] for item in value[ITEMS])]


def table(reading: ReadSubresource, value: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the answer as a Table of `meta.k8s.io` in `version`."""
    names, *found = rows(reading, value)
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": value.get("metadata", {}),
        "columnDefinitions": [_definition(name, found, index) for index, name in enumerate(names)],
        "rows": [{"cells": [_cell(cell) for cell in row]} for row in found],
    }


def _definition(name: str, found: Sequence[Sequence[Any]], index: int) -> dict[str, Any]:
    cells = [row[index] for row in found]
    kind = "string"
    if cells and all(isinstance(cell, int) for cell in cells):
        kind = "boolean" if all(isinstance(cell, bool) for cell in cells) else "integer"
    return {"name": _title(name), "type": kind, "format": "", "description": name, "priority": 0}


def _title(name: str) -> str:
    """`establishedAt` as `Established At`, as columns of kinds are called; those stay as they are."""
    if name[:1].isupper():
        return name
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in name)
    return spaced[:1].upper() + spaced[1:]


def _cell(value: Any) -> Any:
    """A cell holds a scalar: an absent value is empty, a list is its items, an object is its JSON."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    if isinstance(value, list | Mapping):
        return orjson.dumps(value).decode()
    return value
