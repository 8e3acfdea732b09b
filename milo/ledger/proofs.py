"""What applications prove beside seals and histories: that rows which change, or are too many, are what was sealed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from milo.ledger.live import Difference


@dataclass(frozen=True, slots=True)
class Proof:
    """A part of `ledger verify`; `differences` yields each row that is not what sealed rows say, in constant memory."""

    name: str
    differences: Callable[[], Iterator[Difference]]


_registered: dict[str, Proof] = {}


def register(proof: Proof) -> None:
    """Make a proof part of `ledger verify`; call it when the application is loaded."""
    _registered[proof.name] = proof


def proofs() -> list[Proof]:
    """Every registered proof."""
    return list(_registered.values())


def proof_of(name: str) -> Proof:
    """The proof of a name; raises `KeyError`."""
    return _registered[name]
