"""Verify the ledger: read all sealed rows again, and name the rows that differ."""

import gc
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection

from milo.ledger import inspections, keys, processes
from milo.ledger.comparison import Fault, Live, Piece, Proven, Seals
from milo.ledger.models import Seal
from milo.ledger.proofs import proofs
from milo.ledger.seals import header, sealed_through
from milo.ledger.shapes import Shapes, follow, unstated
from milo.ledger.tables import all_tables

PIECE = 25_000
"""Minimum rows of one piece of work, if so many were sealed."""
ALONE = 100_000
"""Below this number of rows, starting other processes takes longer than reading."""
Heads = dict[int, str]
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Report:
    """The result: verified seals and rows, the first fault of each table in order of the seals, and unsealed rows."""

    seals: int = 0
    rows: int = 0
    unsealed: int = 0
    faults: list[Fault] = field(default_factory=list)


def verify(since: datetime | None = None, heads: Heads | None = None, progress: Progress | None = None) -> Report:
    """Compare all rows sealed at or after the instant `since` (UTC; None for all) with their seals. Changes nothing.

    The chain is always followed from its beginning, and compared with `heads` (digests by number, from the anchor).
    Without these a truncated end cannot be detected. Live rows are compared with their newest history rows, because
    only history is sealed, and the proofs of applications run (`milo.ledger.proofs`). `progress` is called with the
    number of rows read and their total. Memory stays constant.
    """
    report = Report()
    pieces = list(_pieces(report, since, heads or {}))
    report.rows = sum(piece.rows for piece in pieces if isinstance(piece, Seals))
    total = sum(piece.rows for piece in pieces)
    all_faults, done = list[Fault](), 0
    # the longest first, so that no process starts it last
    for rows, faults in _compared(sorted(pieces, key=lambda piece: -piece.rows), total):
        all_faults, done = all_faults + faults, done + rows
        if progress:
            progress(done, total)
    first: dict[str, Fault] = {}
    for fault in sorted(all_faults, key=lambda fault: fault.seal):
        first.setdefault(fault.table, fault)
    report.faults += first.values()
    newest = Seal.objects.order_by("-number").values_list("tables", flat=True).first() or {}
    for table in all_tables():
        report.unsealed += table.model._base_manager.filter(pk__gt=sealed_through(table.name, newest)).count()
    return report


def inspect(since: datetime | None = None, heads: Heads | None = None, progress: Progress | None = None) -> Report:
    """Verify, and record the result as that of the check `verify`, which metrics show. See `verify`."""
    report = verify(since, heads, progress)
    inspections.record("verify", len(report.faults), "; ".join(map(str, report.faults[:3])))
    return report


def _pieces(report: Report, since: datetime | None, heads: Heads) -> Iterator[Piece]:
    """Yield the pieces of work. The chain is followed first; its faults go into the report."""
    rows, stated_first = Counter[str](), Shapes()
    pieces = list(_seals(report, since, heads, rows, stated_first))
    before = {table.name: unstated(table, stated_first.get(table.name)) for table in all_tables()}
    for piece in pieces:
        yield replace(piece, shapes=before | piece.shapes)
    for table in all_tables():
        if table.recorded:
            yield Live(table.name, report.seals, rows[table.name])
    for proof in proofs():
        yield Proven(proof.name, report.seals)


def _seals(
    report: Report, since: datetime | None, heads: Heads, rows: Counter[str], stated_first: Shapes
) -> Iterator[Seals]:
    """Yield the seals in pieces; fill `rows` with row counts, and `stated_first` with the first shape, by table."""
    shapes, at_first = Shapes(), Shapes()
    first = begun = 0
    for seal in follow(_chain(report, heads), shapes):
        report.seals = seal.number
        for name in shapes.keys() - stated_first.keys():
            stated_first[name] = shapes[name]
        if since and seal.at < since:
            continue
        if not first:
            first, at_first = seal.number, shapes.copy()
        rows.update({name: part["rows"] for name, part in seal.tables.items()})
        if rows.total() - begun >= PIECE:
            yield Seals(first, seal.number, rows.total() - begun, at_first)
            first, begun = 0, rows.total()
    if first:
        yield Seals(first, report.seals, rows.total() - begun, at_first)


def _compared(pieces: list[Piece], rows: int) -> Iterator[tuple[int, list[Fault]]]:
    """Yield row count and faults of each piece, from several processes if that is faster.

    Inside a transaction this process works alone, because others cannot see its uncommitted rows.
    """
    if rows < ALONE or processes.how_many() == 1 or connection.in_atomic_block:
        # once a process: a worker verifies every night, and would keep the garbage of each
        if not gc.get_freeze_count():
            gc.freeze()
        yield from map(_faults_of, pieces)
        return
    with processes.pool() as pool:
        yield from pool.map(_faults_of, pieces)


def _faults_of(piece: Piece) -> tuple[int, list[Fault]]:
    return piece.rows, piece.faults()


def _chain(report: Report, heads: Heads) -> Iterator[Seal]:
    """Yield every seal in order; faults of the chain itself go into the report."""
    previous, through, trusted = "", dict[str, int](), keys.public_keys()
    unsigned: set[str] = set()
    number = 0
    for seal in Seal.objects.defer("leaves").order_by("number").iterator():
        number += 1
        if wrong := _fault_of(seal, number, previous, through, heads):
            report.faults.append(Fault(seal.number, "ledger_seal", None, wrong))
            return
        # the application's role could insert a seal with a wrong instant or range before a signed one
        if seal.key_id not in unsigned and (wrong := _unsigned(seal, trusted)):
            unsigned.add(seal.key_id)
            report.faults.append(Fault(seal.number, "ledger_seal", None, wrong))
        previous = seal.digest
        through |= {name: part["through"] for name, part in seal.tables.items()}
        yield seal
    if missing := sorted(known for known in heads if known > number):
        message = f"seals up to number {missing[-1]} were handed over, and the chain ends at {number}"
        report.faults.append(Fault(number, "ledger_seal", None, message))


def _unsigned(seal: Seal, trusted: Mapping[str, Ed25519PublicKey]) -> str:
    if seal.key_id not in trusted:
        return f"signed with an unknown key {seal.key_id}; if it is yours, put {seal.key_id}.pub into MILO_LEDGER_KEYS"
    return "" if keys.is_signed(seal.digest, seal.signature, trusted[seal.key_id]) else "the signature is not the key's"


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
