"""Breaks of the chain by a restored backup: what was lost, signed, and kept with the heads.

A backup that is restored has fewer seals than the anchor has heads, and the next seals have the same numbers again. The
heads of the lost ones would contradict the chain for ever. A break names each lost head, so that `ledger verify` tells
what was lost from what was altered. It stands where the heads stand, outside the database that was restored.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from milo.clock import ledger_time
from milo.ledger import anchors, keys
from milo.ledger.canonical import canonical
from milo.ledger.models import Seal
from milo.ledger.seals import instant
from milo.verify import Break, Heads, head_lines

log = structlog.get_logger(__name__)


class NoBreak(Exception):
    """The heads and the chain differ in nothing that a restore explains. The message says why."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The heads that are not in the chain, oldest first, and the newest seal before them (number 0 for none)."""

    number: int
    digest: str
    heads: list[dict[str, Any]]

    def __str__(self) -> str:
        first, last = self.heads[0], self.heads[-1]
        numbers = f"{first['number']} to {last['number']}"
        return (
            f"{len(self.heads)} heads of seals {numbers}, sealed from {first['at']} to {last['at']}, are not in the"
            f" chain of this database. It agrees with the heads up to seal {self.number}. Everything that was sealed"
            " only by these seals is lost."
        )


def lost(paths: Iterable[Path], known: Heads) -> Lost:
    """Return the heads in files of the anchor that the chain does not have, and that no break in `known` names.

    Raises `NoBreak` if there is none, or one that no trusted key has signed, which is no seal of ours. Raises
    `KeyUnusable`.
    """
    trusted = keys.public_keys()
    explained = {pair for each in known.breaks for pair in each.lost}
    heads = {(int(head["number"]), str(head["digest"])): head for _, head in head_lines(paths) if "break" not in head}
    end, chain = 0, {0: ""}
    for number, digest in Seal.objects.order_by("number").values_list("number", "digest").iterator():
        end, chain[number] = number, digest
    missing = sorted(pair for pair in heads if chain.get(pair[0]) != pair[1] and pair not in explained)
    if not missing:
        raise NoBreak("nothing was lost: the chain has every head of these files, or a break names it already")
    for number, digest in missing:
        head = heads[number, digest]
        key = trusted.get(str(head.get("keyId")))
        if key is None or not keys.is_signed(digest, str(head.get("signature")), key):
            raise NoBreak(f"the head {digest} of seal {number} is not signed by a key that this host trusts")
    last = min(end, missing[0][0] - 1)
    return Lost(last, chain[last], [heads[pair] for pair in missing])


def record(what: Lost, *, reason: str, by: str) -> Break:
    """Sign a break that names the lost heads, and deliver it to the anchor. Return it.

    Raises `KeyUnusable`, and whatever the anchor raises; then nothing is recorded.
    """
    said = {
        "lost": [[head["number"], head["digest"]] for head in what.heads],
        "reason": reason,
        "by": by,
        "at": instant(ledger_time()),
    }
    statement: dict[str, Any] = {"number": what.number, "digest": what.digest, "break": said}
    key_id, signature = keys.sign(hashlib.sha256(canonical(statement)).hexdigest())
    line = statement | {"keyId": key_id, "signature": signature}
    anchors.anchor().keep([line])
    recorded = Break.of(line)
    log.warning("ledger_break_recorded", after=what.number, lost=len(what.heads), by=by)
    return recorded
