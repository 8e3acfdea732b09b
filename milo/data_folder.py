"""The installation's own folder: its owner reads it and nobody else who has an account on the machine."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog

OTHERS = stat.S_IRWXG | stat.S_IRWXO

log = structlog.get_logger(__name__)


def close(folder: Path) -> None:
    """Take from group and others every right to `folder` and to the files and folders in it, and log what was open.

    Sessions, password hashes, keys and tokens stand there. A folder that others may write, such as /tmp, is nobody's
    own and is left as it is, with a warning; so is what this process may not change. Links are not followed.
    """
    try:
        if folder.stat().st_mode & stat.S_ISVTX:
            log.warning("data_folder_is_shared", folder=str(folder))
            return
    except FileNotFoundError:
        return
    opened = [path for path in _inside(folder) if _close(path)]
    if opened:
        log.warning("data_folder_closed", folder=str(folder), number=len(opened), first=opened[0])


def _inside(folder: Path) -> Iterator[str]:
    yield str(folder)
    for parent, folders, files in os.walk(folder):
        yield from (os.path.join(parent, name) for name in (*folders, *files))


def _close(path: str) -> bool:
    """Close one file or folder, and return whether it was open to others."""
    try:
        mode = os.lstat(path).st_mode
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)) or not mode & OTHERS:
            return False
        os.chmod(path, stat.S_IMODE(mode) & ~OTHERS)
    except FileNotFoundError:
        return False  # a message that was taken meanwhile
    except OSError as error:
        log.warning("data_file_stays_open", path=path, error=str(error))
        return False
    return True
