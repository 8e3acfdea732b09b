"""The columns that the rows of a table had when they were sealed. A later version may add some; leaves do not change.

A seal always has a digest of the shape of a table, and states the shape where it differs from the previous seal. Rows
from before seals stated shapes have the first stated one, without the columns that were added later (`unstated`).
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import models

from milo.ledger.canonical import canonical
from milo.ledger.models import Seal
from milo.ledger.tables import Table


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a leaf, and those with personal values, both ordered by name."""

    columns: tuple[str, ...]
    personal: tuple[str, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(canonical([list(self.columns), list(self.personal)])).hexdigest()[:16]


Shapes = dict[str, Shape]
"""Shapes by the name of their table."""


class ColumnGone(Exception):
    """A table has lost a sealed column, and with it the proof of its rows."""


def shape_of(table: Table) -> Shape:
    """Return the shape of a table in this version."""
    columns = [str(column.column) for column in table.columns]
    return Shape(tuple(sorted(columns)), tuple(sorted(table.personal)))


def statement(table: Table, before: dict[str, Any] | None) -> dict[str, Any]:
    """Return the statement of a table's shape in a seal; `before` is that of the previous seal, if any."""
    shape = shape_of(table)
    if before and before.get("shape") == shape.digest:
        return {"shape": shape.digest}
    return {"shape": shape.digest, "columns": list(shape.columns), "personal": list(shape.personal)}


def stated(part: dict[str, Any]) -> Shape | None:
    """Return the shape that a seal states for a table, or None."""
    return Shape(tuple(part["columns"]), tuple(part["personal"])) if "columns" in part else None


def unstated(table: Table, first: Shape | None) -> Shape:
    """Return the shape of rows sealed before seals stated shapes: the one stated `first`, or the current one.

    The `later_columns` of the model and of its history are left out: they were added when seals stated shapes already,
    but an upgrade may skip the versions between.
    """
    shape = first or shape_of(table)
    later = _later_columns(table.model) | _later_columns(table.recorded)
    columns, personal = (
        tuple(name for name in names if name not in later) for names in (shape.columns, shape.personal)
    )
    return Shape(columns, personal)


def _later_columns(model: type[models.Model] | None) -> frozenset[str]:
    return getattr(model, "later_columns", frozenset())


def follow(seals: Iterable[Seal], shapes: Shapes) -> Iterator[Seal]:
    """Yield the seals in their order, and update `shapes` to those of the rows of each seal before it is yielded."""
    for seal in seals:
        shapes.update({name: shape for name, part in seal.tables.items() if (shape := stated(part))})
        yield seal
