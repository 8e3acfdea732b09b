"""Pieces of the verification: compare sealed rows with their seals, and live rows with their history."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone

from milo.ledger.late import is_explained
from milo.ledger.live import SKEW, difference
from milo.ledger.models import Seal
from milo.ledger.proofs import proof_of
from milo.ledger.rows import Reader, Row
from milo.ledger.seals import instant, sealed_through
from milo.ledger.shapes import ColumnGone, Shape, Shapes, follow
from milo.ledger.tables import Table, all_tables, table_of

LEAST_KEPT = timedelta(hours=1)
"""Minimum age of a seal whose rows may be compacted. The application may move the watermark, but not this bound."""
_LEAF = 40
_LOWEST = -(2**63)


@dataclass(frozen=True, slots=True)
class Fault:
    """A difference from the seals. `row` is the key in the table, None for a fault of the seal itself."""

    seal: int
    table: str
    row: int | None
    message: str

    def __str__(self) -> str:
        where = f"{self.table} row {self.row}" if self.row is not None else self.table
        return f"{where} (seal {self.seal}): {self.message}"


@dataclass(frozen=True, slots=True)
class Seals:
    """Seals to compare with their rows, from number `first` to `last`, with `rows` rows.

    `shapes` are those of the first seal's rows.
    """

    first: int
    last: int
    rows: int
    shapes: Shapes

    def faults(self) -> list[Fault]:
        """The first fault of each table."""
        newest = Seal.objects.values_list("tables", flat=True).get(number=self.last)
        streams = {table.name: _Stream(table, sealed_through(table.name, newest)) for table in all_tables()}
        seals = Seal.objects.filter(number__range=(self.first, self.last)).defer("leaves").order_by("number")
        shapes = dict(self.shapes)
        for seal in follow(seals.iterator(), shapes):
            for name, part in seal.tables.items():
                if name in streams:
                    streams[name].compare(seal, part, shapes.get(name))
        return [fault for stream in streams.values() if (fault := stream.fault or stream.late)]


@dataclass(frozen=True, slots=True)
class Live:
    """Live rows to compare with the history in `table`; `seal` is the newest number, for faults."""

    table: str
    seal: int
    rows: int

    def faults(self) -> list[Fault]:
        found = difference(table_of(self.table))
        return [Fault(self.seal, found.table, found.row, found.message)] if found else []


@dataclass(frozen=True, slots=True)
class Proven:
    """A registered proof to run; `seal` is the newest number, for faults."""

    proof: str
    seal: int
    rows: int = 0

    def faults(self) -> list[Fault]:
        """The first fault of each table."""
        first: dict[str, Fault] = {}
        for found in proof_of(self.proof).differences():
            first.setdefault(found.table, Fault(self.seal, found.table, found.row, found.message))
        return list(first.values())


Piece = Seals | Live | Proven


class _Stream:
    """The rows of one table in order, compared with successive seals until the first difference."""

    def __init__(self, table: Table, through: int) -> None:
        self._table, self._through = table, through
        self._shape: Shape | None = None
        self._rows: Iterator[Row] | None = None
        self._next: Row | None = None
        self.fault: Fault | None = None
        # kept apart: it must not hide a row that was altered
        self.late: Fault | None = None

    def _begin(self, after: int, shape: Shape | None) -> None:
        # start below the first valid key, so that rows inserted there are detected too
        self._rows = Reader(self._table, shape=shape)(after or _LOWEST, self._through)
        self._shape, self._next = shape, next(self._rows, None)

    def compare(self, seal: Seal, part: dict[str, Any], shape: Shape | None) -> None:
        if self.fault:
            return
        if self._rows is None or self._shape != shape:
            try:
                self._begin(part["after"], shape)
            except ColumnGone as gone:
                self.fault = Fault(seal.number, self._table.name, None, str(gone))
                return
        assert self._rows is not None
        leaves = bytearray()
        lacking, ahead = set(), instant(seal.at + SKEW)
        while self._next and self._next.key <= part["through"]:
            row, self._next = self._next, next(self._rows, None)
            leaves += row.key.to_bytes(8, "big", signed=True) + row.leaf
            if row.lacks_salt:
                lacking.add(row.key)
            if self._is_late(row, ahead):
                self.late = Fault(seal.number, self._table.name, row.key, "is dated after its seal")
        if hashlib.sha256(leaves).hexdigest() == part["sha256"]:
            return
        if different := self._difference(seal, part, bytes(leaves), lacking):
            self.fault = Fault(seal.number, self._table.name, *different)

    def _is_late(self, row: Row, ahead: str) -> bool:
        """Return whether this is the first row dated after the instant `ahead` without an explanation."""
        dated = str(row.columns.get("history_date", "")) if self._table.history and self.late is None else ""
        return dated > ahead and not is_explained(self._table.name, row.columns)

    def _difference(
        self, seal: Seal, part: dict[str, Any], leaves: bytes, lacking: set[int]
    ) -> tuple[int | None, str] | None:
        """Return key and description of the first difference; None if only compacted rows are missing."""
        stored = _stored(seal, self._table.name)
        if hashlib.sha256(stored).hexdigest() != part["sha256"]:
            return None, "the leaves of the seal were altered"
        was, now = _by_key(stored), _by_key(leaves)
        for key in sorted(was.keys() | now.keys()):
            if key not in was:
                return key, "was inserted after it had been sealed"
            if key not in now:
                if not self._may_be_gone(seal, key):
                    return key, "was removed"
            elif was[key] != now[key]:
                return key, "has lost the salt that proves it" if key in lacking else "was altered"
        return None

    def _may_be_gone(self, seal: Seal, key: int) -> bool:
        """Return whether the row may be compacted.

        Call it after the rows were read: compaction moves the watermark before it deletes.
        """
        if self._table.gone_below is None or key >= self._table.gone_below():
            return False
        # earlier versions did not enforce increasing instants of seals, so take the latest up to this one
        newest = Seal.objects.filter(number__lte=seal.number).aggregate(at=Max("at"))["at"]
        return bool(newest < timezone.now() - LEAST_KEPT)


def _stored(seal: Seal, table: str) -> bytes:
    before = sum(part["rows"] for name, part in seal.tables.items() if name < table)
    leaves = bytes(Seal.objects.values_list("leaves", flat=True).get(pk=seal.pk))
    return leaves[before * _LEAF : (before + seal.tables[table]["rows"]) * _LEAF]


def _by_key(leaves: bytes) -> dict[int, bytes]:
    return {
        int.from_bytes(leaves[at : at + 8], "big", signed=True): leaves[at + 8 : at + _LEAF]
        for at in range(0, len(leaves), _LEAF)
    }
