"""Verify an exported bundle of the ledger on any machine: `python -m milo.verify BUNDLE [--key KEY] [--heads HEADS]`.

This file needs only Python 3.11 and the package `cryptography`, neither Django nor a database: copy it. docs/ledger.md
describes the bundle. The exit status is 0 if everything verifies, 1 if something differs, 2 if the bundle cannot be
read.
"""

import argparse
import base64
import hashlib
import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

LEAF = 40


class ProofFailed(Exception):
    """The bundle differs from what its seals prove."""


def canonical(value: Any) -> bytes:
    """Return canonical JSON (RFC 8785) of texts, integers, booleans, null, lists, and objects of these.

    Raises `ProofFailed` for a float: headers and rows have none.
    """
    if isinstance(value, float):
        raise ProofFailed(f"{value} is no whole number")
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be"))
        return b"{" + b",".join(canonical(key) + b":" + canonical(each) for key, each in ordered) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).encode()


def lines(bundle: zipfile.ZipFile, name: str) -> Iterator[Any]:
    with bundle.open(name) as file:
        for line in file:
            yield json.loads(line)


@dataclass(frozen=True, slots=True)
class Break:
    """A recorded restore of a backup: the seals behind `number` were lost, `lost` has their numbers and digests."""

    number: int
    lost: frozenset[tuple[int, str]]
    reason: str
    by: str
    at: str

    @classmethod
    def of(cls, line: dict[str, Any]) -> "Break":
        said = line["break"]
        lost = frozenset((int(number), str(digest)) for number, digest in said["lost"])
        return cls(int(line["number"]), lost, said["reason"], said["by"], said["at"])

    def __str__(self) -> str:
        numbers = sorted(number for number, _digest in self.lost)
        return (
            f"{len(numbers)} seals after seal {self.number} ({numbers[0]} to {numbers[-1]}) were lost by a restore,"
            f" recorded at {self.at} by {self.by}: {self.reason}"
        )


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads that anchors have kept: digests by number, without those that `breaks` name as lost."""

    digests: dict[int, str]
    breaks: list[Break]


def head_lines(paths: Iterable[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield each line of files of heads, with its file."""
    for path in paths:
        for line in path.read_text().splitlines():
            yield path, json.loads(line)


def read_heads(paths: Iterable[Path], trusted: Mapping[str, Ed25519PublicKey], *, agreeing: bool = True) -> Heads:
    """Return the heads of all files together.

    Raises `ProofFailed` for a break that no trusted key has signed, and, if they must be `agreeing`, for two different
    heads of one seal of which no break names one as lost.
    """
    kept, breaks = defaultdict[int, dict[str, Path]](dict), []
    for path, head in head_lines(paths):
        if "break" in head:
            breaks.append(_signed_break(path, head, trusted))
        else:
            kept[int(head["number"])].setdefault(str(head["digest"]), path)
    lost = frozenset[tuple[int, str]]().union(*(each.lost for each in breaks))
    digests: dict[int, str] = {}
    for number, paths_of in kept.items():
        remaining = [digest for digest in paths_of if (number, digest) not in lost]
        if len(remaining) > 1 and agreeing:
            raise ProofFailed(
                f"{paths_of[remaining[1]]} has another head of seal {number} than an earlier line or file; if a backup"
                " was restored, record what was lost with `manage.py ledger break`"
            )
        if remaining:
            digests[number] = remaining[0]
    return Heads(digests, breaks)


def _signed_break(path: Path, line: dict[str, Any], trusted: Mapping[str, Ed25519PublicKey]) -> Break:
    statement = {name: line[name] for name in ("number", "digest", "break")}
    digest = hashlib.sha256(canonical(statement)).digest()
    try:
        trusted[line["keyId"]].verify(base64.b64decode(line["signature"]), digest)
    except (KeyError, InvalidSignature, ValueError) as error:
        message = f"the break after seal {line['number']} in {path} has no signature of a trusted key"
        raise ProofFailed(message) from error
    return Break.of(line)


class Seals:
    """The chain of seals in the bundle, verified while it is read, and the leaf of each sealed row."""

    def __init__(self, bundle: zipfile.ZipFile, trusted: dict[str, Ed25519PublicKey], heads: dict[int, str]) -> None:
        self.count = 0
        self._leaves: dict[tuple[str, int], str] = {}
        previous: dict[str, Any] | None = None
        for seal in lines(bundle, "seals.jsonl"):
            self._check(seal, previous, trusted, heads)
            self._read_leaves(seal)
            previous, self.count = seal, self.count + 1

    def _check(
        self,
        seal: dict[str, Any],
        previous: dict[str, Any] | None,
        trusted: dict[str, Ed25519PublicKey],
        heads: dict[int, str],
    ) -> None:
        number = seal["number"]
        header = {name: seal[name] for name in ("number", "at", "previous", "tables")}
        digest = hashlib.sha256(canonical(header)).hexdigest()
        if digest != seal["digest"]:
            raise ProofFailed(f"seal {number} was altered")
        if previous and (seal["previous"], number) != (previous["digest"], previous["number"] + 1):
            raise ProofFailed(f"seal {number} is not chained to the seal before it")
        if heads.get(number, digest) != digest:
            raise ProofFailed(f"seal {number} is not the seal that was handed over")
        if seal["keyId"] not in trusted:
            raise ProofFailed(f"seal {number} is signed with the unknown key {seal['keyId']}")
        try:
            trusted[seal["keyId"]].verify(base64.b64decode(seal["signature"]), bytes.fromhex(digest))
        except InvalidSignature as error:
            raise ProofFailed(f"the signature of seal {number} is not the key's") from error

    def _read_leaves(self, seal: dict[str, Any]) -> None:
        leaves, at = base64.b64decode(seal["leaves"]), 0
        for table, part in sorted(seal["tables"].items()):
            own = leaves[at : at + part["rows"] * LEAF]
            at += len(own)
            if hashlib.sha256(own).hexdigest() != part["sha256"]:
                raise ProofFailed(f"the leaves of {table} in seal {seal['number']} were altered")
            for start in range(0, len(own), LEAF):
                key = int.from_bytes(own[start : start + 8], "big")
                self._leaves[table, key] = own[start + 8 : start + LEAF].hex()

    def check_row(self, row: dict[str, Any]) -> None:
        """Raise `ProofFailed` if a row differs from its leaf, or a personal value from its digest in the row."""
        name = f"{row['table']} row {row['key']}"
        leaf = hashlib.sha256(row["canonical"].encode()).hexdigest()
        if self._leaves.get((row["table"], row["key"])) != leaf:
            raise ProofFailed(f"{name} is not what was sealed")
        sealed = json.loads(row["canonical"])
        if sealed["table"] != row["table"]:
            raise ProofFailed(f"{name} is a row of another table")
        for column, (salt, value) in row["personal"].items():
            digest = hashlib.sha256(bytes.fromhex(salt) + value.encode()).hexdigest()
            if sealed["row"][column] != {"sha256": digest}:
                raise ProofFailed(f"{column} of {name} is not what was sealed")


def trusted_keys(bundle: zipfile.ZipFile, paths: list[Path]) -> dict[str, Ed25519PublicKey]:
    """Return the keys of `paths`, or else those in the bundle, by the SHA-256 of the raw key."""
    texts = [path.read_bytes() for path in paths] or [
        bundle.read(name) for name in bundle.namelist() if name.startswith("keys/")
    ]
    found = {}
    for text in texts:
        key = load_pem_public_key(text)
        if isinstance(key, Ed25519PublicKey):
            found[hashlib.sha256(key.public_bytes_raw()).hexdigest()] = key
    return found


def verify(path: Path, keys: list[Path], heads: Sequence[Path] = ()) -> str:
    """Verify the bundle at `path`, and return the result as lines for people. Raises `ProofFailed`."""
    with zipfile.ZipFile(path) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        trusted = trusted_keys(bundle, keys)
        known = read_heads(heads, trusted)
        seals = Seals(bundle, trusted, known.digests)
        rows = 0
        for row in lines(bundle, "rows.jsonl"):
            seals.check_row(row)
            rows += 1
        if (rows, seals.count) != (manifest["rows"], manifest["seals"]):
            raise ProofFailed(
                f"{rows} rows and {seals.count} seals, and not {manifest['rows']} and {manifest['seals']}"
            )
    by = "the keys you named" if keys else "its own keys, which anybody could have made: name yours with --key"
    held = f"{rows} rows of {manifest['organization']} in {seals.count} seals hold, by {by}"
    return "\n".join([held, *(f"acknowledged: {each}" for each in known.breaks)])


def main() -> int:
    parser = argparse.ArgumentParser(prog="milo.verify", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", type=Path, action="append", default=[], help="a public key (PEM) to trust, alone")
    parser.add_argument("--heads", type=Path, nargs="+", default=[], help="heads that the anchor has kept")
    options = parser.parse_args()
    try:
        print(verify(options.bundle, options.key, options.heads))
    except ProofFailed as wrong:
        print(wrong, file=sys.stderr)
        return 1
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        print(f"{options.bundle} cannot be read: {error!r}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
