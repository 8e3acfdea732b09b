"""Which columns the rows of a table had when they were sealed: a later version adds some, and the leaves stay.

A seal states the shape of a table where it is not that of the seal before, and a digest of it always. What was sealed
before seals said so has the shape that was stated first, less the columns that came later (`unstated`).
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
    """The columns of a leaf, and those of them whose values are personal, each in the order of their names."""

    columns: tuple[str, ...]
    personal: tuple[str, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(canonical([list(self.columns), list(self.personal)])).hexdigest()[:16]


Shapes = dict[str, Shape]
"""Shapes by the name of their table."""


class ColumnGone(Exception):
    """A table has lost a column that was sealed, and with it the proof of its rows."""


def shape_of(table: Table) -> Shape:
    """The shape that a table has in this version."""
    columns = [str(column.column) for column in table.columns]
    return Shape(tuple(sorted(columns)), tuple(sorted(table.personal)))


def statement(table: Table, before: dict[str, Any] | None) -> dict[str, Any]:
    """What a seal says of the shape of a table, after a seal that said `before` of it, if any."""
    shape = shape_of(table)
    if before and before.get("shape") == shape.digest:
        return {"shape": shape.digest}
    return {"shape": shape.digest, "columns": list(shape.columns), "personal": list(shape.personal)}


def stated(part: dict[str, Any]) -> Shape | None:
    """The shape that a seal states of a table, if it states one."""
    return Shape(tuple(part["columns"]), tuple(part["personal"])) if "columns" in part else None


def unstated(table: Table, first: Shape | None) -> Shape:
    """The shape of rows that were sealed before seals said so: the one stated `first`, or the present one.

    Without the `later_columns` of the model and of its history, which came when seals stated columns already: an
    upgrade may skip the versions between.
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
    """The seals, in their order; `shapes` has those that hold for the rows of each seal when it comes."""
    for seal in seals:
        shapes.update({name: shape for name, part in seal.tables.items() if (shape := stated(part))})
        yield seal
