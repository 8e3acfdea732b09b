"""Read, lock, write and remove files and folders that several processes share."""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MAX_BYTES = 16 * 1024 * 1024


def read_regular(path: Path) -> bytes:
    """Return the content of a regular file. Raises OSError for anything else, and for more than MAX_BYTES."""
    # a named pipe would block the reader, and a link could point to any file
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", closefd=True) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a regular file")
        if status.st_size > MAX_BYTES:
            raise OSError(f"larger than {MAX_BYTES} bytes")
        return file.read()


def lock(folder: Path, *, wait: bool) -> int | None:
    """Lock the folder itself, and return the descriptor that holds the lock.

    Return None if another process holds it and `wait` is false. The lock ends with the descriptor, and so with the
    process in any case.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder locked inside. The folder is created if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = lock(folder, wait=True)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically: it appears with all of its content, or not at all."""
    aside = path.with_name(f"{path.name}.new")
    try:
        aside.write_bytes(content)
        aside.rename(path)
    except OSError:
        remove(aside)
        raise


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder with its content. Errors are ignored."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
