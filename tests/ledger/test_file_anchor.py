"""The file of heads: a disk that is full leaves no half of a head, which would spoil the list for ever."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from milo.ledger.anchors import FileAnchor
from milo.verify import read_heads

HEADS = [{"number": number, "digest": f"{number:064}"} for number in range(1, 4)]


@contextmanager
def no_file_longer_than(length: int) -> Iterator[None]:
    """Have the system cut writes off, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_heads_are_appended_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "anchor" / "heads.jsonl"
    FileAnchor(str(path)).keep(HEADS[:1])
    FileAnchor(str(path)).keep(HEADS[1:])
    assert [json.loads(line) for line in path.read_text().splitlines()] == HEADS


@pytest.mark.parametrize("room", [0, 1, 40, 100])
def test_a_full_disk_leaves_whole_heads_only_and_takes_the_rest_when_there_is_room(tmp_path: Path, room: int) -> None:
    path = tmp_path / "heads.jsonl"
    anchor = FileAnchor(str(path))
    anchor.keep(HEADS[:1])
    kept = path.read_bytes()
    with no_file_longer_than(len(kept) + room), pytest.raises(OSError, match="File too large"):
        anchor.keep(HEADS[1:])
    lines = [json.dumps(head, sort_keys=True) for head in HEADS]
    left = path.read_text().splitlines()
    assert left == lines[: len(left)]
    assert left
    anchor.keep(HEADS[1:])
    assert read_heads([path], {}).digests == {head["number"]: head["digest"] for head in HEADS}


@pytest.mark.parametrize("length", [1, 14, 4096, 4097, 20_000])
def test_half_a_line_that_a_power_cut_left_is_removed_by_the_next_one(tmp_path: Path, length: int) -> None:
    path = tmp_path / "heads.jsonl"
    anchor = FileAnchor(str(path))
    anchor.keep(HEADS[:1])
    with path.open("ab") as file:
        file.write(b'{"digest": "00'[:length].ljust(length, b"0"))
    anchor.keep(HEADS[1:])
    assert read_heads([path], {}).digests == {head["number"]: head["digest"] for head in HEADS}
