"""Proofs of applications, for rows that are not sealed themselves because they change or are too many."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from milo.ledger.live import Difference


@dataclass(frozen=True, slots=True)
class Proof:
    """A part of `ledger verify`. `differences` yields each row that contradicts sealed rows, in constant memory."""

    name: str
    differences: Callable[[], Iterator[Difference]]


_registered: dict[str, Proof] = {}


def register(proof: Proof) -> None:
    """Add a proof to `ledger verify`. Call it when the application is loaded."""
    _registered[proof.name] = proof


def proofs() -> list[Proof]:
    """Return every registered proof."""
    return list(_registered.values())


def proof_of(name: str) -> Proof:
    """Return the proof with this name. Raises `KeyError`."""
    return _registered[name]
