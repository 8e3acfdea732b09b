"""Seals: once a minute, digests of all rows written since the last seal, chained to it, signed, and anchored.

A seal covers rows up to the frontier (`frontier.py`): they are final. Writers never wait for sealing.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

import structlog
from django.db import DatabaseError, IntegrityError, transaction

from milo.clock import ledger_time
from milo.ledger import anchors, inspections, keys
from milo.ledger.canonical import canonical
from milo.ledger.frontier import WritersBusy, final_keys
from milo.ledger.models import Seal
from milo.ledger.rows import Reader, salts
from milo.ledger.shapes import statement
from milo.ledger.tables import Table, all_tables

LIMIT = 20_000
"""Maximum rows of one table in one seal, to bound memory."""
log = structlog.get_logger(__name__)


def header(number: int, at: datetime, previous: str, tables: dict[str, Any]) -> bytes:
    """Return the canonical JSON of which a seal has the digest."""
    return canonical({"number": number, "at": instant(at), "previous": previous, "tables": tables})


def instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def seal() -> int:
    """Seal all committed rows, in as many seals as necessary. Return how many rows.

    Raises `WritersBusy` if a writer stays for too long, and `KeyUnusable` without a key. Of two
    concurrent calls, one seals.
    """
    try:
        keys.signing_key()
        frontier = final_keys()
    except (WritersBusy, keys.KeyUnusable) as error:
        inspections.record("seal", 1, str(error))
        raise
    sealed = 0
    while rows := _seal_some(frontier):
        sealed += rows
    anchors.hand_over()
    inspections.record("seal", 0)
    return sealed


def require_key() -> None:
    """Raise `KeyUnusable` unless this process can sign, and trusts the key of the newest seal.

    Another key there means that this host, or that one, has the wrong key. A database that does not answer, or is not
    migrated yet, is no reason to refuse.
    """
    keys.signing_key()
    try:
        newest = Seal.objects.order_by("-number").values_list("number", "key_id").first()
    except DatabaseError:
        return
    if newest and newest[1] not in keys.public_keys():
        raise keys.KeyUnusable(
            f"seal {newest[0]} was signed with the key {newest[1]}, which this host does not trust: give it that key,"
            f" or put its public key into MILO_LEDGER_KEYS as {newest[1]}.pub (docs/ledger.md, Keys)"
        )


def _seal_some(frontier: dict[str, int]) -> int:
    last = Seal.objects.defer("leaves").order_by("-number").first()
    before = last.tables if last else {}
    tables: dict[str, Any] = {}
    leaves = bytearray()
    for table in all_tables():
        after = sealed_through(table.name, before)
        part = _leaves(table, after, frontier[table.name])
        through = int.from_bytes(part[-40:-32], "big") if part else after
        digest = hashlib.sha256(part).hexdigest()
        tables[table.name] = {
            "after": after,
            "through": through,
            "rows": len(part) // 40,
            "sha256": digest,
            **statement(table, before.get(table.name)),
        }
        leaves += part
    if not leaves:
        return 0
    number, at, previous = (last.number + 1, ledger_time(last.at), last.digest) if last else (1, ledger_time(), "")
    digest = hashlib.sha256(header(number, at, previous, tables)).hexdigest()
    key_id, signature = keys.sign(digest)
    try:
        with transaction.atomic():
            Seal.objects.create(
                number=number,
                at=at,
                previous=previous,
                tables=tables,
                digest=digest,
                key_id=key_id,
                signature=signature,
                leaves=bytes(leaves),
            )
    except IntegrityError:
        if not Seal.objects.filter(number=number).exists():
            raise
        log.info("sealed_by_another", number=number)
        return 0
    return len(leaves) // 40


def _leaves(table: Table, after: int, through: int) -> bytes:
    part = bytearray()
    for row in Reader(table, salts)(after, through):
        part += row.key.to_bytes(8, "big") + row.leaf
        if len(part) == 40 * LIMIT:
            break
    return bytes(part)


def sealed_before(table: str, instant: datetime) -> int:
    """Return the newest key of a table in seals from before the instant (UTC); 0 if there is none."""
    older = Seal.objects.filter(at__lt=instant).order_by("-number")
    return sealed_through(table, older.values_list("tables", flat=True).first() or {})


def sealed_through(table: str, tables: dict[str, Any] | None = None) -> int:
    """Return the newest sealed key of a table, or the newest one in a seal with these `tables`."""
    if tables is None:
        tables = Seal.objects.order_by("-number").values_list("tables", flat=True).first() or {}
    return int(tables.get(table, {}).get("through", 0))
