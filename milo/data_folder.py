"""The data folder: only its owner may read it, and a marker says that it belongs to development."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog
from django.conf import settings

from milo.settings.environment import MARKER

OTHERS = stat.S_IRWXG | stat.S_IRWXO

log = structlog.get_logger(__name__)


def is_development() -> bool:
    """Return whether this is development: MILO_DEBUG, or a data folder of `manage.py up`."""
    return settings.DEBUG or (settings.DATA_DIR / MARKER).exists()


def close(folder: Path) -> None:
    """Remove all permissions of group and others from `folder` and everything in it, and log what was open.

    The folder holds sessions, password hashes, keys and tokens. A shared folder (sticky, such as /tmp) is left
    unchanged, with a warning, and so is a path that this process may not change. Symbolic links are not followed.
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
        return False  # another process has consumed the message meanwhile
    except OSError as error:
        log.warning("data_file_stays_open", path=path, error=error)
        return False
    return True
