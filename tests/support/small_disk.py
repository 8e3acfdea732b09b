"""A disk that can be filled: a small tmpfs where this process may mount one, else a folder that takes no writes."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

FILLER = "filler"


class SmallDisk:
    """A disk of 256 KiB at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_mounted = False
        self.is_full = False

    def fill(self, leaving: int = 0) -> None:
        """Leave room for so many bytes more; none on a disk that is not mounted."""
        self.is_full = True
        if self.is_mounted:
            with (self.folder / FILLER).open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
            os.truncate(self.folder / FILLER, (self.folder / FILLER).stat().st_size - leaving)

    def make_room(self) -> None:
        self.is_full = False
        (self.folder / FILLER).unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mount a small disk at `folder`. A process that may not mount refuses writes of its own below the folder."""
    folder.mkdir(parents=True)
    disk = SmallDisk(folder)
    mounting = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    disk.is_mounted = not subprocess.run(mounting, capture_output=True, check=False).returncode
    with pytest.MonkeyPatch.context() as patched:
        if not disk.is_mounted:
            patched.setattr(
                os, "write", _refusing(disk, os.write, lambda file: Path(f"/proc/self/fd/{file}").readlink())
            )
            patched.setattr(Path, "write_bytes", _refusing(disk, Path.write_bytes, lambda file: file))
        try:
            yield disk
        finally:
            if disk.is_mounted:
                subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _path(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def _refusing(disk: SmallDisk, write: Callable[..., Any], path_of: Callable[[Any], Path]) -> Callable[..., Any]:
    def refuse(file: Any, content: bytes) -> Any:
        if disk.is_full and path_of(file).is_relative_to(disk.folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content)

    return refuse
