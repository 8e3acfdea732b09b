"""Verification: everything that was sealed is read again, and what differs is named by row."""

import gc
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from milo.ledger import keys
from milo.ledger.live import difference
from milo.ledger.models import Seal
from milo.ledger.rows import Reader
from milo.ledger.seals import header, sealed_through
from milo.ledger.tables import Table, all_tables

Heads = dict[int, str]
Progress = Callable[[int, int], None]
_LEAF = 40


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was sealed. `row` is the key in the table, None where a seal itself is at fault."""

    seal: int
    table: str
    row: int | None
    message: str

    def __str__(self) -> str:
        where = f"{self.table} row {self.row}" if self.row is not None else self.table
        return f"{where} (seal {self.seal}): {self.message}"


@dataclass(slots=True)
class Report:
    """What was verified, the first fault of each table in the order of the seals, and how many rows await a seal."""

    seals: int = 0
    rows: int = 0
    unsealed: int = 0
    faults: list[Fault] = field(default_factory=list)


def verify(since: datetime | None = None, heads: Heads | None = None, progress: Progress | None = None) -> Report:
    """Read all rows sealed at or after the instant `since` (UTC; None: all) and compare them with their seals.

    The chain of seals is always followed from its beginning, and compared with `heads`, digests by number from outside
    the database; without those nobody can tell that its end is missing. Live rows are compared with their newest
    history row, since the past alone is sealed. Memory stays constant. Changes nothing.
    """
    # what is loaded already stays; looking through it again and again would take as long as reading the rows
    gc.freeze()
    report = Report()
    newest = Seal.objects.order_by("-number").values_list("tables", flat=True).first() or {}
    readers: dict[str, _Stream] = {}
    total = sum(row["rows"] for seal in _tables_since(since) for row in seal.values()) if progress else 0
    for seal in _chain(report, heads or {}):
        report.seals += 1
        if since and seal.at < since:
            continue
        for table in all_tables():
            if part := seal.tables.get(table.name):
                stream = readers.setdefault(
                    table.name, _Stream(table, part["after"], sealed_through(table.name, newest))
                )
                stream.compare(seal, part, report)
        if progress:
            progress(report.rows, total)
    for table in all_tables():
        report.unsealed += table.model._base_manager.filter(pk__gt=sealed_through(table.name, newest)).count()
        if table.recorded and (found := difference(table)):
            report.faults.append(Fault(report.seals, found.table, found.row, found.message))
    return report


def _tables_since(since: datetime | None) -> Iterator[dict[str, Any]]:
    seals = Seal.objects.filter(at__gte=since) if since else Seal.objects.all()
    return seals.values_list("tables", flat=True).iterator()


def _chain(report: Report, heads: Heads) -> Iterator[Seal]:
    """Every seal in order; the faults of the chain itself go into the report."""
    previous, through, newest = "", dict[str, int](), dict[str, Seal]()
    number = 0
    for seal in Seal.objects.defer("leaves").order_by("number").iterator():
        number += 1
        if wrong := _fault_of(seal, number, previous, through, heads):
            report.faults.append(Fault(seal.number, "ledger_seal", None, wrong))
            return
        previous, newest[seal.key_id] = seal.digest, seal
        through |= {name: part["through"] for name, part in seal.tables.items()}
        yield seal
    if missing := sorted(known for known in heads if known > number):
        message = f"seals up to number {missing[-1]} were handed over, and the chain ends at {number}"
        report.faults.append(Fault(number, "ledger_seal", None, message))
    trusted = keys.public_keys()
    for key_id, seal in newest.items():
        if key_id not in trusted:
            report.faults.append(Fault(seal.number, "ledger_seal", None, f"signed with an unknown key {key_id}"))
        elif not keys.is_signed(seal.digest, seal.signature, trusted[key_id]):
            report.faults.append(Fault(seal.number, "ledger_seal", None, "the signature is not the key's"))


def _fault_of(seal: Seal, number: int, previous: str, through: dict[str, int], heads: Heads) -> str:
    if seal.number != number:
        return f"seal {number} is missing"
    if seal.previous != previous:
        return "is not chained to the seal before it"
    if hashlib.sha256(header(seal.number, seal.at, seal.previous, seal.tables)).hexdigest() != seal.digest:
        return "was altered"
    if any(part["after"] != through.get(name, 0) for name, part in seal.tables.items()):
        return "leaves rows out"
    if heads.get(number, seal.digest) != seal.digest:
        return "is not the seal that was handed over"
    return ""


class _Stream:
    """The rows of one table in order, compared with one seal after the other until one differs."""

    def __init__(self, table: Table, after: int, through: int) -> None:
        self._table, self._rows = table, Reader(table)(after, through)
        self._next = next(self._rows, None)
        self._broken = False

    def compare(self, seal: Seal, part: dict[str, Any], report: Report) -> None:
        found = bytearray()
        lacking = set()
        while self._next and self._next.key <= part["through"]:
            row, self._next = self._next, next(self._rows, None)
            found += row.key.to_bytes(8, "big") + row.leaf
            if row.lacks_salt:
                lacking.add(row.key)
        report.rows += part["rows"]
        if self._broken or hashlib.sha256(found).hexdigest() == part["sha256"]:
            return
        fault = self._fault(seal, part, bytes(found), lacking)
        if fault:
            self._broken = True
            report.faults.append(Fault(seal.number, self._table.name, *fault))

    def _fault(
        self, seal: Seal, part: dict[str, Any], found: bytes, lacking: set[int]
    ) -> tuple[int | None, str] | None:
        """The first row that differs, and how; None where all that is missing has gone by its retention."""
        stored = _stored(seal, self._table.name)
        if hashlib.sha256(stored).hexdigest() != part["sha256"]:
            return None, "the leaves of the seal were altered"
        was, now = _by_key(stored), _by_key(found)
        for key in sorted(was.keys() | now.keys()):
            if key not in was:
                return key, "was inserted after it had been sealed"
            if key not in now:
                if not self._may_be_gone(seal):
                    return key, "was removed"
            elif was[key] != now[key]:
                return key, "has lost the salt that proves it" if key in lacking else "was altered"
        return None

    def _may_be_gone(self, seal: Seal) -> bool:
        kept_for: timedelta | None = self._table.kept_for() if self._table.kept_for else None
        return kept_for is not None and seal.at < timezone.now() - kept_for


def _stored(seal: Seal, table: str) -> bytes:
    before = sum(part["rows"] for name, part in seal.tables.items() if name < table)
    leaves = bytes(Seal.objects.values_list("leaves", flat=True).get(pk=seal.pk))
    return leaves[before * _LEAF : (before + seal.tables[table]["rows"]) * _LEAF]


def _by_key(leaves: bytes) -> dict[int, bytes]:
    return {
        int.from_bytes(leaves[at : at + 8], "big"): leaves[at + 8 : at + _LEAF] for at in range(0, len(leaves), _LEAF)
    }
